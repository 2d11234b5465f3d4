"""Say which share of the functions has a body of three lines at most, room by room, and which they are.

    python scripts/small_functions.py                  the share of each room, and of all
    python scripts/small_functions.py --list server    the functions of a room that count as small
    python scripts/small_functions.py --why            why the small ones are functions: how they are used

Who meets a function that says in a name what its body says in as many words has one place more to visit. So
those are counted whose body has three lines at most, docstring and comments left out. Some are not counted at
all, neither among the small ones nor among all, because something else asks for them, however short they are:

- what Python asks for: names with two underscores at both ends;
- properties, which are attributes to who uses them;
- what has no body: overloads, stubs, methods of protocols, abstract methods;
- methods of a name that a Protocol of ours, an abstract class of ours or a base class of asyncio, Django or
  redis-py gives: somebody else calls them by it;
- functions within functions, which are values rather than names;
- what users call: the public names of the modules that the reference lists.

Only one that is called from one place can be written there instead without saying the same twice. ``--why``
says how many these are. It goes by names: of two functions that are called alike it sees the calls of both.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
#: Lines of a body that counts as small.
SMALL = 3
#: Classes of others whose methods ours override.
_BASES = (
    "asyncio.Protocol",
    "asyncio.BufferedProtocol",
    "asyncio.AbstractEventLoop",
    "concurrent.futures.ThreadPoolExecutor",
    "django.apps.AppConfig",
    "django.core.management.BaseCommand",
    "django.test.TransactionTestCase",
    "django.core.handlers.asgi.ASGIHandler",
    "django.utils.functional.LazyObject",
    "redis.asyncio.Connection",
    "redis.asyncio.ConnectionPool",
    "logging.Handler",
    "logging.Formatter",
    "argparse.Action",
    "argparse.ArgumentParser",
    "argparse.HelpFormatter",
)
_PROPERTIES = {"property", "functools.cached_property", "cached_property", "overload", "abstractmethod"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Found:
    """One function of the source.

    Attributes:
        path: the file, from ``src``.
        name: with that of its class.
        line: where it begins.
        lines: how many its body has.
    """

    path: str
    name: str
    line: int
    lines: int

    @property
    def module(self) -> str:
        """The dotted name of the module."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_private(self) -> bool:
        """Whether its name, or that of its class, begins with an underscore."""
        return any(part.startswith("_") for part in self.name.split("."))

    @property
    def room(self) -> str:
        """The folder or module below ``channels`` that it is in; else the package."""
        package, _, rest = self.path.partition("/")
        return rest.split("/")[0].removesuffix(".py") if package == "channels" else package


def functions() -> list[Found]:
    """Return every function that is counted."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}
    asked, public = _asked_for(trees.values()), _public_modules()
    found = (each for path, tree in trees.items() for each in _in(path, tree, asked))
    return [each for each in found if each.module not in public or each.is_private]


def _in(path: Path, tree: ast.Module, asked: set[str]) -> Iterator[Found]:
    place = path.relative_to(SOURCE).as_posix()
    for node in tree.body:
        if isinstance(node, Function):
            yield from _counted(place, node, "")
        elif isinstance(node, ast.ClassDef) and not _is_protocol(node):
            for method in node.body:
                if isinstance(method, Function) and method.name not in asked:
                    yield from _counted(place, method, f"{node.name}.")


def _counted(place: str, node: Function, inside: str) -> Iterator[Found]:
    decorators = {ast.unparse(each).split("(")[0] for each in node.decorator_list}
    setters = any(each.endswith((".setter", ".deleter")) for each in decorators)
    if decorators & _PROPERTIES or setters or (node.name.startswith("__") and node.name.endswith("__")):
        return
    if lines := _body(node):
        yield Found(place, f"{inside}{node.name}", node.lineno, lines)


def _body(node: Function) -> int:
    """How many lines of code a function has; 0 for a stub."""
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if not body or all(isinstance(each, ast.Expr) and _is_dots(each.value) for each in body):
        return 0
    covered = {line for each in body for line in range(each.lineno, (each.end_lineno or each.lineno) + 1)}
    return len(covered)


def _is_dots(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is ...


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0] in ("Protocol", "TypedDict") for base in node.bases)


def _asked_for(trees: Any) -> set[str]:
    """The names of methods that somebody else calls."""
    names = {name for base in _BASES for name in dir(_load(base))}
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        methods = [each for each in node.body if isinstance(each, Function)]
        if _is_protocol(node):
            names |= {each.name for each in methods}
        names |= {
            each.name
            for each in methods
            if "abstractmethod" in {ast.unparse(mark) for mark in each.decorator_list}
        }
    return names


def _load(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _public_modules() -> set[str]:
    """The modules whose public names users call, as ``scripts/reference.py`` has them."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return set(importlib.import_module("reference").all_modules())
    finally:
        sys.path.pop(0)


class _Uses:
    """How often each name is called and handed on in some files, and how many functions have it."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self.called: Counter[tuple[str, str]] = Counter()
        self.named: Counter[tuple[str, str]] = Counter()
        self.defined: Counter[str] = Counter()
        for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
            self._count(path.relative_to(ROOT).as_posix().removeprefix("src/"), ast.parse(path.read_text()))

    def _count(self, place: str, tree: ast.Module) -> None:
        functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, Function):
                self.defined[node.name] += 1
            elif isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                for where in (place, ""):
                    (self.called if id(node) in functions else self.named)[where, name] += 1


def why(found: list[Found]) -> Iterator[str]:
    """How the small ones of some functions are used, a line for each way."""
    source, tests = _Uses(("src",)), _Uses(("tests", "benchmarks"))
    small = [each for each in found if each.lines <= SMALL]
    for use, count in Counter(_use(each, source, tests) for each in small).most_common():
        yield f"{count:5}  {use}"
    once = sum(_use(each, source, tests) == _ONCE for each in small)
    rest = 100 * (len(small) - once) / (len(found) - once)
    yield f"{rest:5.1f} %  would be left if each that is called once went"


_ONCE = "called once"


def _use(found: Found, source: _Uses, tests: _Uses) -> str:
    name = found.name.rpartition(".")[2]
    # A private name is looked for in its own module: others may have one that is called alike.
    where = (
        found.path
        if name.startswith("_") and source.named[found.path, name] + source.called[found.path, name]
        else ""
    )
    called, named = source.called[where, name], source.named[where, name]
    if source.defined[name] > 1 and not where:
        return "of several classes or modules, which stand in each other's place"
    if named and not called:
        return "handed on: a callback, or a row of a table"
    if called + named > 1:
        return "called from several places"
    if tests.called["", name] + tests.named["", name]:
        return "called once, and by tests, which check it by itself"
    return _ONCE


def share(found: list[Found]) -> float:
    """Return how many of some functions are small, in per cent."""
    return 100 * sum(each.lines <= SMALL for each in found) / max(1, len(found))


def lines(found: list[Found]) -> Iterator[str]:
    """The report: a line for each room, then one for all."""
    rooms = Counter(each.room for each in found)
    for room, count in sorted(rooms.items()):
        own = [each for each in found if each.room == room]
        yield f"{share(own):5.1f} %  of {count:4}  {room}"
    yield f"{share(found):5.1f} %  of {len(found):4}  all"


def main() -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(description="Functions of three lines at most.")
    parser.add_argument("--why", action="store_true", help="how the small ones are used")
    parser.add_argument("--list", metavar="ROOM", help="the small ones of a room")
    said = parser.parse_args()
    found = functions()
    if said.why:
        print("\n".join(why(found)))
    elif said.list is None:
        print("\n".join(lines(found)))
    for each in found if said.list else ():
        if each.room == said.list and each.lines <= SMALL:
            print(f"{each.lines}  src/{each.path}:{each.line}  {each.name}")


if __name__ == "__main__":
    main()

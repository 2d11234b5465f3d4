"""Say which share of the functions has a body of three lines at most, room by room, and which they are.

    python scripts/small_functions.py                  the share of each room, and of all
    python scripts/small_functions.py --list server    the functions of a room that count as small

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
    parser.add_argument("--list", metavar="ROOM", help="the small ones of a room")
    said = parser.parse_args()
    found = functions()
    if said.list is None:
        print("\n".join(lines(found)))
    for each in found if said.list else ():
        if each.room == said.list and each.lines <= SMALL:
            print(f"{each.lines}  src/{each.path}:{each.line}  {each.name}")


if __name__ == "__main__":
    main()

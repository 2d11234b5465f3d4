"""Write docs/reference/ from the docstrings: one page per public module, and one of daphne's flags.

    python scripts/reference.py            write the pages
    python scripts/reference.py --check    say which pages are not up to date; exit 1 if any

The source is read, not imported: the pages are the same on every machine and every Python. Only
the flags are asked of their parser.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "reference"
#: By what a reader looks for; the order is the order of the index.
MODULES = {
    "Consumers and routing": [
        "channels.consumer",
        "channels.generic.websocket",
        "channels.generic.http",
        "channels.generic.tcp",
        "channels.protocols.framing.framings",
        "channels.protocols.framing.interfaces",
        "channels.routing",
        "channels.middleware",
        "channels.worker",
    ],
    "Django": [
        "channels.sessions",
        "channels.auth",
        "channels.security.websocket",
        "channels.db",
        "channels.http",
        "channels.conf",
        "channels.checks",
    ],
    "Channel layers": [
        "channels.layers",
        "channels.layers.base",
        "channels.layers.memory",
        "channels.layers.host.layer",
        "channels.layers.redis.layer",
        "channels.layers.serializers",
        "channels_redis.core",
        "channels_redis.pubsub",
        "channels_redis.serializers",
    ],
    "Topics": [
        "channels.mqtt.application",
        "channels.mqtt.limits",
        "channels.topics.stores.base",
        "channels.topics.stores.redis",
        "channels.topics.tokens.issuing",
        "channels.topics.tokens.verification",
        "channels.topics.tokens.claims",
        "channels.topics.tokens.errors",
    ],
    "Outbox": [
        "channels.outbox",
        "channels.outbox.messages",
        "channels.outbox.hooks",
        "channels.outbox.checks",
    ],
    "Live queries": [
        "channels.live.query",
        "channels.live.capture.told",
        "channels.live.admin.mixin",
        "channels.live.operations",
    ],
    "Server": [
        "channels.server.config",
        "channels.server.server",
        "channels.server.in_thread",
        "daphne.cli",
        "daphne.server",
        "daphne.endpoints",
        "daphne.testing",
    ],
    "The wire of topics": [
        "channels.protocols.centrifuge.messages",
        "channels.protocols.centrifuge.codes",
        "channels.protocols.centrifuge.codec",
        "channels.protocols.centrifuge.json_codec",
        "channels.protocols.centrifuge.protobuf",
        "channels.protocols.centrifuge.framing",
    ],
    "Tasks": [
        "channels.tasks.definition.task",
        "channels.tasks.definition.limits",
        "channels.tasks.groups",
        "channels.tasks.schedule.schedules",
        "channels.tasks.control",
        "channels.tasks.context",
        "channels.tasks.definition.options",
        "channels.tasks.exceptions",
    ],
    "Seeing inside": [
        "channels.observability.metrics.endpoint",
        "channels.observability.metrics.push",
        "channels.observability.metrics.views",
        "channels.observability.doctor.probe",
        "channels.observability.tracing.setup",
        "channels.observability.logs",
    ],
    "Tests": [
        "channels.testing",
        "channels.testing.tasks",
        "channels.testing.outbox",
        "channels.testing.replay",
        "channels.testing.contracts",
        "channels.testing.store_contract",
    ],
    "Everything else": [
        "channels.exceptions",
        "channels.typing",
        "channels.telemetry",
        "channels.process.readiness",
        "channels.utils",
    ],
}
HEADINGS = ("Args", "Attributes", "Returns", "Raises", "Yields", "Note", "Example")
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Entry(NamedTuple):
    """A public name of a module: where it is defined, and as what."""

    name: str
    home: str
    node: ast.AST


def source_of(module: str) -> Path:
    """The file of a module."""
    path = ROOT / "src" / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def parse(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(source_of(module).read_text())


def assigned(node: ast.AST) -> str | None:
    """The one name that a statement assigns, or None."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def declared(tree: ast.Module) -> list[str] | None:
    """What ``__all__`` says, or None."""
    for node in tree.body:
        if assigned(node) == "__all__" and isinstance(node, ast.Assign):
            return list(ast.literal_eval(node.value))
    return None


def definitions(module: str) -> dict[str, Entry]:
    """Every name that a module's top level defines itself."""
    found: dict[str, Entry] = {}
    for node in parse(module).body:
        name = node.name if isinstance(node, Definition) else assigned(node)
        if name is not None:
            found[name] = Entry(name, module, node)
    return found


def resolve(module: str, name: str) -> Entry | None:
    """Where a name of a module comes from, its imports within our packages followed."""
    own = definitions(module).get(name)
    if own is not None:
        return own
    for node in parse(module).body:
        if not isinstance(node, ast.ImportFrom) or not is_ours(node.module or ""):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                target = resolve(node.module or "", alias.name)
                return target and target._replace(name=name)
    return None


def is_ours(module: str) -> bool:
    """Whether the module has a file here."""
    return bool(module) and source_of(module).exists()


def public(module: str) -> list[Entry]:
    """What a module offers: ``__all__``, or what it defines itself without an underscore."""
    wanted = declared(parse(module))
    if wanted is not None:
        return [entry for name in wanted if (entry := resolve(module, name)) is not None]
    own = definitions(module).items()
    return [entry for name, entry in own if not name.startswith("_") and described(entry)]


def described(entry: Entry) -> bool:
    """Whether there is something to say: a docstring, or the comment ``#:`` above a value."""
    if isinstance(entry.node, Definition):
        return ast.get_docstring(entry.node) is not None
    return bool(comment_above(entry))


def comment_above(entry: Entry) -> str:
    """The ``#:`` lines above a value."""
    lines = source_of(entry.home).read_text().splitlines()
    taken: list[str] = []
    for line in reversed(lines[: getattr(entry.node, "lineno", 1) - 1]):
        if not line.lstrip().startswith("#:"):
            break
        taken.insert(0, line.lstrip()[2:].strip())
    return " ".join(taken)


def to_markdown(docstring: str) -> str:
    """A docstring's roles, literals and Google sections, as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring)
    text = text.replace("``", "`")
    text = re.sub(r"(?m)^( *)::$\n?", "", text)
    text = re.sub(r"::$", ":", text, flags=re.M)
    return "\n\n".join(part for part in map(section, split_sections(text)) if part)


def split_sections(text: str) -> list[str]:
    """The parts of a docstring, each section with its heading."""
    return re.split(rf"(?m)^(?=(?:{'|'.join(HEADINGS)}):$)", text)


def section(part: str) -> str:
    """One part: prose as it is, a section as a heading with a list or a paragraph."""
    head, _, rest = part.partition("\n")
    name = head.rstrip(":")
    if name not in HEADINGS or not head.endswith(":"):
        return part.strip("\n").rstrip()
    body = re.sub(r"(?m)^    ", "", rest).strip("\n")
    items = re.split(r"(?m)^(?=\S)", body)
    pairs = [
        re.match(r"(\*{0,2}[\w.]+(?: \(.*?\))?): (.*)", " ".join(item.split()), re.S)
        for item in items
        if item
    ]
    if name in ("Returns", "Yields", "Note", "Example") or not all(pairs):
        return f"**{name}:** {' '.join(body.split())}"
    return f"**{name}:**\n\n" + "\n".join(f"- `{pair[1]}`: {pair[2]}" for pair in pairs if pair)


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef, *, method: bool = False) -> str:
    """A function's head, as a caller reads it."""
    arguments = ast.unparse(node.args)
    if method:
        arguments = re.sub(r"^(self|cls)(?:, )?(/, )?", "", arguments)
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{prefix}{node.name}({arguments}){returns}"


def decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The words that change how it is called: property, classmethod, staticmethod."""
    known = {
        "property": "property",
        "cached_property": "property",
        "computed": "property",
        "classmethod": "classmethod",
    }
    names = (ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list)
    return " ".join(f"*{known[name]}* " for name in names if name in known)


def render(entry: Entry) -> Iterator[str]:
    """The part of a page about one name."""
    node = entry.node
    if isinstance(node, ast.ClassDef):
        yield from render_class(entry.name, node)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield f"## {entry.name}\n\n```python\n{signature(node)}\n```"
        yield to_markdown(ast.get_docstring(node) or "")
    else:
        yield f"## {entry.name}\n\n```python\n{ast.unparse(node)}\n```"
        yield to_markdown(comment_above(entry))


def render_class(name: str, node: ast.ClassDef) -> Iterator[str]:
    """A class: its head, its own words, its options, its methods."""
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    made = next(
        (item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None
    )
    arguments = re.sub(r"^self(?:, )?", "", ast.unparse(made.args)) if made else ""
    yield f"## {name}\n\n```python\nclass {name}({bases})\n```"
    yield to_markdown(ast.get_docstring(node) or "")
    if arguments:
        yield f"Made with `{name}({arguments})`."
    options = [line for item in node.body if (line := render_option(item))]
    if options:
        yield "| Option | Default | What it is |\n|---|---|---|\n" + "\n".join(options)
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and is_public_method(item):
            yield from render_method(name, item)


def is_public_method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method has a name and words for users; a property's setter says nothing new."""
    setter = any("setter" in ast.unparse(decorator) for decorator in node.decorator_list)
    return not node.name.startswith("_") and not setter and ast.get_docstring(node) is not None


def render_method(owner: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """A method or a property of a class."""
    words = decorators(node)
    head = signature(node, method=True)
    if "property" in words:
        head = head.replace("()", "", 1)
    yield f"### {owner}.{node.name}\n\n{words}`{head}`"
    yield to_markdown(ast.get_docstring(node) or "")


def render_option(node: ast.AST) -> str:
    """A field of Config: its default and its sentence, from the call that declares it."""
    if not (
        isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call) and len(node.value.args) >= 2
    ):
        return ""
    default, text = node.value.args[:2]
    if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
        return ""
    return f"| `{assigned(node)}` | `{ast.unparse(default)}` | {text.value.replace('|', chr(92) + '|')} |"


def page(module: str) -> str:
    """The whole page of one module."""
    parts = [f"# {module}", to_markdown(ast.get_docstring(parse(module)) or "")]
    for entry in public(module):
        parts.extend(render(entry))
    text = "\n\n".join(part for part in parts if part)
    return re.sub(r"[ \t]+$", "", text, flags=re.M) + "\n"


def index() -> str:
    """The list of all pages; those written by hand come first."""
    parts = ["# Reference", "One page per public module, written from its docstrings by `make docs`."]
    written = [path for path in sorted(OUT.glob("*.md")) if path.stem not in {"index", *all_modules()}]
    lines = [f"- [{path.read_text().splitlines()[0].lstrip('# ')}]({path.name})" for path in written]
    parts.append("\n".join(lines))
    for heading, modules in MODULES.items():
        rows = [f"- [{module}]({module}.md): {summary(module)}" for module in modules if is_ours(module)]
        parts.append(f"## {heading}\n\n" + "\n".join(rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(module: str) -> str:
    """The first line of a module's docstring."""
    return to_markdown((ast.get_docstring(parse(module)) or "").splitlines()[0])


def all_modules() -> list[str]:
    """Every module that has a page."""
    return [module for modules in MODULES.values() for module in modules if is_ours(module)]


def command_line() -> str:
    """The page of every flag of ``daphne``, in the groups of its ``--help``."""
    from channels.server.cli import build_parser

    parts = [
        "# The command line of `daphne`",
        "    daphne [options] package.module:application",
        "The same as `daphne --help`; defaults stand in brackets. A flag with an underscore is spelled as "
        "Daphne spelled it. Signals, health checks and examples: [deploy](../howto/deploy.md). What happens "
        "at a limit: [limits](limits.md).",
    ]
    for group in build_parser("daphne", "")._action_groups[2:]:
        rows = [f"| {flags(action)} | {described_flag(action)} |" for action in group._group_actions]
        title = str(group.title)
        parts.append(f"## {title[0].upper()}{title[1:]}")
        parts.append("\n".join(("| Flag | What it does |", "|---|---|", *rows)))
    return "\n\n".join(parts) + "\n"


def flags(action: argparse.Action) -> str:
    """The spellings of a flag, with what stands behind it."""
    value = ""
    if action.nargs != 0:
        choices = "{" + ",".join(action.choices) + "}" if action.choices else action.dest.upper()
        value = f" {action.metavar or choices}"
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings)


def described_flag(action: argparse.Action) -> str:
    """The help of a flag; some Pythons add the default of one that is on or off."""
    text = re.sub(r" \(default: .*\)$", "", action.help or "")
    return text.replace("%%", "%").replace("|", "\\|")


def pages() -> dict[Path, str]:
    """Every page that is made, by its path."""
    made = {OUT / f"{module}.md": page(module) for module in all_modules()}
    return {OUT / "command-line.md": command_line(), OUT / "index.md": index(), **made}


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not up to date: run 'make docs'")
        return 1 if stale else 0
    OUT.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(pages()[path])
    print(f"{len(stale)} of {len(pages())} pages written to {OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

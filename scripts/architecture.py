"""Draw the rooms of the code and the ways of messages through them into docs/explanation/architecture.md.

    python scripts/architecture.py            write the page
    python scripts/architecture.py --check    say whether the rooms of the page are up to date; exit 1 if not

The rooms and what they import come from the imports themselves (those for type checkers are counted), the
floors from the contracts in ``pyproject.toml``, the ways from ``ways.py``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
PACKAGES = ("channels", "channels_redis", "daphne", "django_fairway")
Imports = dict[str, set[str]]


def contract(name: str) -> list[list[str]]:
    """Return the layers of a contract in ``pyproject.toml``, the highest first, each as its rooms."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(entry["layers"] for entry in settings["contracts"] if entry["id"] == name)
    return [[room.strip(" ()") for room in re.split(r"[|:]", layer)] for layer in layers]


def floors() -> list[list[str]]:
    """Return the rooms by floor, the highest first; what is not there (yet) is left out."""
    there = set(room_imports())
    found = [["channels_redis", "daphne"], *contract("floors"), ["django_fairway"]]
    return [kept for rooms in found if (kept := [room for room in rooms if room in there])]


def room_of(module: str) -> str:
    """The room that a module is in: what is directly below ``channels``, or a package of an old name."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "channels" else parts[0]


def room_imports() -> Imports:
    """Return what each room imports of other rooms."""
    import grimp

    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    found: Imports = {room_of(module): set() for module in graph.modules if module != "channels"}
    for module in sorted(graph.modules - {"channels"}):
        others = {room_of(other) for other in graph.find_modules_directly_imported_by(module)}
        found[room_of(module)] |= others - {room_of(module), "channels"}
    return found


def reachable(imports: Imports, room: str) -> set[str]:
    """All rooms that a room imports, over others too."""
    found: set[str] = set()
    ahead = set(imports[room])
    while ahead:
        other = ahead.pop()
        if other not in found:
            found.add(other)
            ahead |= imports.get(other, set())
    return found


def reduced(imports: Imports) -> Imports:
    """Leave out the arrows that others imply: of A to B to C, that from A to C."""
    kept: Imports = {}
    for room, others in imports.items():
        implied = {far for other in others for far in reachable(imports, other)}
        kept[room] = others - implied
    return kept


def diagram() -> Iterator[str]:
    """The lines of a Mermaid diagram: a box per floor, an arrow per import that no others imply."""
    yield "```mermaid"
    yield "flowchart TD"
    there = floors()
    for number, rooms in zip(range(len(there) - 1, -1, -1), there, strict=True):
        yield f'  subgraph floor{number}["{number}"]'
        yield from (f"    {short(room)}" for room in rooms)
        yield "  end"
    for room, others in sorted(reduced(room_imports()).items()):
        yield from (f"  {short(room)} --> {short(other)}" for other in sorted(others))
    yield "```"


def short(room: str) -> str:
    """A room's name without its package."""
    return room.removeprefix("channels.")


def table() -> Iterator[str]:
    """The lines of a table: each room, what it imports, and who imports it."""
    imports = room_imports()
    yield "| Room | Imports | Is imported by |"
    yield "|---|---|---|"
    for room in (room for rooms in floors() for room in rooms):
        users = [other for other in imports if room in imports[other]]
        yield f"| `{short(room)}` | {names(imports[room])} | {names(users)} |"


def names(rooms: set[str] | list[str]) -> str:
    """Rooms as a cell of a table."""
    return ", ".join(f"`{short(room)}`" for room in sorted(rooms)) or "no room"


def drawn_rooms() -> str:
    """What stands between the marks of the rooms."""
    return "\n".join([*diagram(), "", *table()])


def drawn_ways() -> str:
    """What stands between the marks of the ways."""
    command = [sys.executable, str(ROOT / "scripts" / "ways.py"), "--markdown"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def between(text: str, part: str) -> str:
    """What stands between the marks of a part of the page."""
    return text[slice(*_span(text, part))].strip()


def replaced(text: str, part: str, new: str) -> str:
    """Put something else between the marks of a part of the page."""
    begin, end = _span(text, part)
    return f"{text[:begin]}\n\n{new}\n\n{text[end:]}"


def _span(text: str, part: str) -> tuple[int, int]:
    first = f"<!-- {part}: written by make docs -->"
    if first not in text:
        raise SystemExit(f"{PAGE.name} has no line {first}")
    return text.index(first) + len(first), text.index(f"<!-- {part}: end -->")


def main() -> None:
    """Read the command line; write or check."""
    parser = argparse.ArgumentParser(description="Draw the rooms and the ways.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    said = parser.parse_args()
    page = PAGE.read_text()
    if said.check:
        if between(page, "rooms") != drawn_rooms():
            raise SystemExit(f"{PAGE.name}: its rooms are not up to date: run 'make docs'")
        return
    page = replaced(page, "rooms", drawn_rooms())
    PAGE.write_text(replaced(page, "ways", drawn_ways()))


if __name__ == "__main__":
    main()

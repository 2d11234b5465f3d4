"""The files of this checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What is made, not written.
MADE = {"__pycache__", "node_modules"}


def files(*folders: str) -> list[Path]:
    """Return every file below some folders, relative to the checkout."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return sorted(path.relative_to(ROOT) for path in found if not MADE & {*path.parts})

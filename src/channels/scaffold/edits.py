"""A change of a file that can be looked at before it is made."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """A file as it is and as it will be.

    Attributes:
        path: of the file.
        before: its text; None if there is no such file yet.
        after: its text then.
    """

    path: Path
    before: str | None
    after: str

    @property
    def changes(self) -> bool:
        """Whether there is anything to change."""
        return self.before != self.after

    def diff(self, root: Path) -> str:
        """Return the change as a unified diff, with paths as seen from ``root``."""
        name = self.path.relative_to(root).as_posix() if self.path.is_relative_to(root) else str(self.path)
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{name}" if self.before is not None else "/dev/null",
            f"b/{name}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def write(self) -> None:
        """Write the file, with folders for it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.after, encoding="utf-8")

"""Scripts of Redis, and the commands that run them."""

from __future__ import annotations

import hashlib
from importlib.resources.abc import Traversable
from typing import Any


class Script:
    """A script and the name under which Redis remembers it.

    Args:
        text: in Lua.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def by_name(self, keys: tuple[str | bytes, ...], *args: Any) -> tuple[Any, ...]:
        """Return the command that runs it if Redis knows it already."""
        return ("EVALSHA", self.sha, len(keys), *keys, *args)

    def by_text(self, keys: tuple[str | bytes, ...], *args: Any) -> tuple[Any, ...]:
        """Return the command that runs it in any case."""
        return ("EVAL", self.text, len(keys), *keys, *args)


def script_of(folder: Traversable, *names: str) -> Script:
    """Return the script that files of a folder make, in order.

    Args:
        folder: with files ``NAME.lua``.
        names: which of them.
    """
    return Script("".join((folder / f"{name}.lua").read_text("utf-8") for name in names))

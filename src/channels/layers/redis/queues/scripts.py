"""What happens in Redis in one step, for the queues of named channels.

A queue is five keys: ``ready``, a list of entries; ``taken``, a hash of the entries that
somebody is working on; ``leases``, a sorted set of until when; ``held``, how many entries there
are; ``seen``, the ids of group messages forwarded lately. Redis drops ``ready`` and ``taken`` with
all that is in them when nobody has come for long; ``held`` outlives them, so that whoever comes
next knows how many messages that were. Lists and a hash rather than
streams with consumer groups: capacity and expiry are those of unread messages, an
acknowledged entry is gone at once, a worker needs no name, and Redis 6.0 has all of it.

An entry is the time it expires (14 digits, milliseconds), its id (16 bytes) and the message.
Times are Redis's own, so that the clocks of the machines do not matter. Every script names
the keys it uses, and they share a hash tag.

The scripts are the files in ``lua/``: ``queue.lua`` is the beginning of each. They do not say ``#!lua``:
Redis has it from version 7 on, and to 6.2, which we support, it is a syntax error.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any, Final

_FILES: Final = resources.files(__package__) / "lua"


class Script:
    """A script and the name under which Redis remembers it.

    Args:
        names: files of ``lua/`` that make it, in order, after ``queue.lua``.
    """

    def __init__(self, *names: str) -> None:
        files = [_FILES / f"{name}.lua" for name in ("queue", *names)]
        self.text = "".join(file.read_text("utf-8") for file in files)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def by_name(self, keys: tuple[str, ...], *args: Any) -> tuple[Any, ...]:
        """Return the command that runs it if Redis knows it already."""
        return ("EVALSHA", self.sha, len(keys), *keys, *args)

    def by_text(self, keys: tuple[str, ...], *args: Any) -> tuple[Any, ...]:
        """Return the command that runs it in any case."""
        return ("EVAL", self.text, len(keys), *keys, *args)


SEND: Final = Script("add")
FORWARD: Final = Script("unless_seen", "add")
TAKE: Final = Script("take")
SWEEP: Final = Script("sweep")
ACKNOWLEDGE: Final = Script("acknowledge")
RENEW: Final = Script("renew")
GIVE_BACK: Final = Script("give_back")

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

from importlib import resources
from typing import Final

from channels.layers.redis.connect.scripts import Script, script_of

_FILES: Final = resources.files(__package__) / "lua"


def _script(*names: str) -> Script:
    return script_of(_FILES, "queue", *names)


SEND: Final = _script("add")
FORWARD: Final = _script("unless_seen", "add")
TAKE: Final = _script("take")
SWEEP: Final = _script("sweep")
ACKNOWLEDGE: Final = _script("acknowledge")
RENEW: Final = _script("renew")
GIVE_BACK: Final = _script("give_back")

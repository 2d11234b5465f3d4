"""What happens in Redis in one step, for topics; the scripts are the files in ``lua/``.

They name each key that they use, and those share a hash tag: a cluster runs no others. They do not say
``#!lua``: Redis has it from version 7 on, and to 6.2, which we support, it is a syntax error.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

from channels.layers.redis.connect.scripts import Script, script_of

_FILES: Final = resources.files(__package__) / "lua"


def _stream(name: str) -> Script:
    return script_of(_FILES, "stream", name)


def _presence(name: str) -> Script:
    return script_of(_FILES, "presence", name)


PUBLISH: Final = _stream("publish")
READ: Final = _stream("read")
JOIN: Final = _presence("join")
LEAVE: Final = _presence("leave")
RENEW: Final = _presence("renew")
WHO: Final = _presence("who")
COUNT: Final = _presence("count")
NOTE: Final = script_of(_FILES, "leases", "note")
PUT: Final = script_of(_FILES / "values", "put")
LAPSED: Final = script_of(_FILES, "leases", "lapsed")

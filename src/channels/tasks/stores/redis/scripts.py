"""What happens in Redis in one step, for tasks; the scripts are the files in ``lua/``.

They compute the names of tasks from the one key that they are given: all share its hash tag. They do not say
``#!lua``: Redis has it from version 7 on, and to 6.2, which we support, it is a syntax error.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from channels.layers.redis.connect.scripts import Script
from channels.tasks.definition.states import MOVES
from channels.tasks.stores.records import OWNER_LENGTH

_FILES: Final = resources.files(__package__) / "lua"
#: Those that do no harm when they are run a second time because the answer to the first was lost.
REPEATABLE: Final = frozenset(
    {
        *(
            "add",
            "beat",
            "ended",
            "get",
            "has_work",
            "held",
            "join",
            "last_tick",
            "leave",
            "listing",
            "members",
        ),
        *("overview", "owners", "promote", "prune", "prune_workers"),
    }
)


#: What workers write of tasks that are there already: a full memory must not keep them from it.
_NEVER_REFUSED: Final = frozenset({"beat", "cancel", "promote", "recover", "turn"})
#: Redis that is full refuses a script at its first write, if that may need memory; this one needs none.
_WRITE_FIRST: Final = "redis.call('DEL', named('nothing'))\n"


@cache
def script(name: str) -> Script:
    """Return the script of a file."""
    common, own = ((_FILES / f"{each}.lua").read_text("utf-8") for each in ("task", name))
    return Script("".join((_constants(), common, _WRITE_FIRST if name in _NEVER_REFUSED else "", own)))


def _constants() -> str:
    """Return the table of moves as Lua has it."""
    moves = ", ".join(
        f"['{move}'] = {{to = '{to}', from = {{{', '.join(f'{each} = true' for each in sorted(sources))}}}}}"
        for move, (sources, to) in MOVES.items()
    )
    return f"local OWNER_LENGTH = {OWNER_LENGTH}\nlocal MOVES = {{{moves}}}\n"

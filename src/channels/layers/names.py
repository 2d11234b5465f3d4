"""The grammar of channel and group names.

Channels 4.3 allows ASCII letters, digits, hyphens, underscores and periods, fewer than
:data:`MAX_NAME_LENGTH` characters. A channel may have one ``!``: what stands before it
names the process that receives, what follows names the connection inside it.
"""

from __future__ import annotations

import re
from typing import Final

MAX_NAME_LENGTH: Final = 100
CHANNEL_NAME: Final = re.compile(r"^[a-zA-Z\d\-_.]+(![a-zA-Z\d\-_.]*)?\Z", re.ASCII)
GROUP_NAME: Final = re.compile(r"^[a-zA-Z\d\-_.]+\Z", re.ASCII)
INVALID_NAME: Final = (
    f"{{}} name must be a valid unicode string with length < {MAX_NAME_LENGTH} containing only "
    "ASCII alphanumerics, hyphens, underscores, or periods."
)


def non_local_name(name: str) -> str:
    """Return ``name`` up to its ``!``, included: the part that other processes route by."""
    process, mark, _ = name.partition("!")
    return process + mark


def is_process_local(name: str) -> bool:
    """Whether ``name`` belongs to one connection of one process."""
    return "!" in name

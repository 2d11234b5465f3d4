"""The grammar of channel and group names, and names for any text at all.

Channels 4.3 allows ASCII letters, digits, hyphens, underscores and periods, fewer than
:data:`MAX_NAME_LENGTH` characters. A channel may have one ``!``: what stands before it
names the process that receives, what follows names the connection inside it.

Text that does not follow the grammar can be given a name that does, the same in every
process: ``group_name("Küche 7/блог")``.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from typing import Final

MAX_NAME_LENGTH: Final = 100
MAX_TEXT_LENGTH: Final = 500
CHANNEL_NAME: Final = re.compile(r"^[a-zA-Z\d\-_.]+(![a-zA-Z\d\-_.]*)?\Z", re.ASCII)
GROUP_NAME: Final = re.compile(r"^[a-zA-Z\d\-_.]+\Z", re.ASCII)
INVALID_NAME: Final = (
    f"{{}} name must be a valid unicode string with length < {MAX_NAME_LENGTH} containing only "
    "ASCII alphanumerics, hyphens, underscores, or periods."
)
#: Begins the names made from other text; text that begins so is made into a name as well.
DERIVED: Final = "u8."


def group_name(text: str) -> str:
    """Return the group name for any text: itself if it follows the grammar, else a derived name.

    A derived name keeps what is readable of the text and ends in a hash of all of it, so
    that different texts have different names.

    Args:
        text: 1 to 500 characters of unicode text.

    Raises:
        TypeError: it is no text, empty, or longer.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT_LENGTH:
        raise TypeError(f"A name is made from 1 to {MAX_TEXT_LENGTH} characters of text, got {text!r:.80}.")
    if len(text) < MAX_NAME_LENGTH and GROUP_NAME.match(text) and not text.startswith(DERIVED):
        return text
    readable = re.sub(r"[^a-zA-Z\d\-_.]+", "-", text)[:40]
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    return f"{DERIVED}{readable}.{digest}"


def channel_name(text: str) -> str:
    """Return the channel name for any text, as :func:`group_name` does for groups."""
    return group_name(text)


def non_local_name(name: str) -> str:
    """Return ``name`` up to its ``!``, included: the part that other processes route by."""
    process, mark, _ = name.partition("!")
    return process + mark


def is_process_local(name: str) -> bool:
    """Whether ``name`` belongs to one connection of one process."""
    return "!" in name


class NameChecks:
    """The checks that a layer makes of the names it is given; the grammar can be overridden."""

    MAX_NAME_LENGTH = MAX_NAME_LENGTH
    channel_name_regex = CHANNEL_NAME
    group_name_regex = GROUP_NAME
    invalid_name_error = INVALID_NAME

    def match_type_and_length(self, name: object) -> bool:
        """Whether ``name`` is text that is short enough."""
        return isinstance(name, str) and len(name) < self.MAX_NAME_LENGTH

    def require_valid_channel_name(self, name: object, receive: bool = False) -> bool:
        """Return True, or raise TypeError; with ``receive`` a specific name must end at its ``!``."""
        if not (self.match_type_and_length(name) and self.channel_name_regex.match(str(name))):
            raise TypeError(f"{self.invalid_name_error.format('Channel')} Got {name!r}.")
        if receive and "!" in str(name) and not str(name).endswith("!"):
            raise TypeError(f"Specific channel names in receive() must end at the !, got {name!r}.")
        return True

    def require_valid_group_name(self, name: object) -> bool:
        """Return True, or raise TypeError."""
        if not (self.match_type_and_length(name) and self.group_name_regex.match(str(name))):
            raise TypeError(
                f"{self.invalid_name_error.format('Group')} Got {name!r}. "
                "channels.layers.names.group_name() makes a name of any text."
            )
        return True

    def valid_channel_names(self, names: list[str], receive: bool = False) -> bool:
        """Return True if all are valid; an empty list is an error of the caller."""
        if not names:
            raise AssertionError("valid_channel_names() needs at least one name, got none.")
        return all(self.require_valid_channel_name(name, receive=receive) for name in names)

    def non_local_name(self, name: str) -> str:
        """Return ``name`` up to and including its ``!``."""
        return non_local_name(name)

    def valid_channel_name(self, channel_name: object, receive: bool = False) -> bool:
        """Call ``require_valid_channel_name`` instead (deprecated in 4.3, kept for its callers).

        Where a name ends is not looked at with ``receive``: callers from before 4.3 receive on whole names.
        """
        _warn("valid_channel_name", "require_valid_channel_name")
        return self.require_valid_channel_name(channel_name)

    def valid_group_name(self, group_name: object) -> bool:
        """Call ``require_valid_group_name`` instead (deprecated in 4.3, kept for its callers)."""
        _warn("valid_group_name", "require_valid_group_name")
        return self.require_valid_group_name(group_name)


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is deprecated, use {new} instead.", DeprecationWarning, stacklevel=3)

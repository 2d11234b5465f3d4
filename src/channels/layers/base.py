"""The contract of a channel layer, as Channels 4.3 states it.

A layer carries messages (dicts with a ``type``) between consumers, wherever they run.
A third-party backend needs ``send``, ``receive`` and ``new_channel``; with ``"groups"``
in ``extensions`` also ``group_add``, ``group_discard`` and ``group_send``; with
``"flush"`` also ``flush``. Fairway's own backends promise more, in
:mod:`channels.layers.local`.
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from channels.layers import names
from channels.typing import Message

Capacities = list[tuple[re.Pattern[str], int]]


class BaseChannelLayer:
    """What every backend starts from: capacity, expiry and the checks of names.

    Args:
        expiry: seconds an unread message is kept.
        capacity: unread messages a channel holds before it is full.
        channel_capacity: other capacities by channel name: globs, or compiled patterns
            that are matched from the start of the name; the first that fits counts.
    """

    MAX_NAME_LENGTH = names.MAX_NAME_LENGTH
    channel_name_regex = names.CHANNEL_NAME
    group_name_regex = names.GROUP_NAME
    invalid_name_error = names.INVALID_NAME
    extensions: ClassVar[list[str]] = []

    def __init__(
        self,
        expiry: float = 60,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
    ) -> None:
        self.expiry = expiry
        self.capacity = capacity
        self.channel_capacity: Any = self.compile_capacities(channel_capacity or {})

    def compile_capacities(self, channel_capacity: Mapping[Any, int]) -> Capacities:
        """Turn ``{glob or pattern: capacity}`` into pairs of compiled pattern and capacity."""
        return [
            (re.compile(fnmatch.translate(key)) if isinstance(key, str) else key, value)
            for key, value in channel_capacity.items()
        ]

    def get_capacity(self, channel: str) -> int:
        """Return how many unread messages ``channel`` may hold."""
        for pattern, capacity in self.channel_capacity:
            if pattern.match(channel):
                return int(capacity)
        return self.capacity

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
            raise TypeError(f"{self.invalid_name_error.format('Group')} Got {name!r}.")
        return True

    def valid_channel_names(self, channel_names: list[str], receive: bool = False) -> bool:
        """Return True if all are valid; an empty list is an error of the caller."""
        if not channel_names:
            raise AssertionError("valid_channel_names() needs at least one name, got none.")
        return all(self.require_valid_channel_name(name, receive=receive) for name in channel_names)

    def non_local_name(self, name: str) -> str:
        """Return ``name`` up to and including its ``!``."""
        return names.non_local_name(name)

    async def send(self, channel: str, message: Message) -> None:
        """Put ``message`` on ``channel``; raises ChannelFull when it is over capacity."""
        raise NotImplementedError(f"{type(self).__name__} must implement send().")

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none."""
        raise NotImplementedError(f"{type(self).__name__} must implement receive().")

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has, on which this process can receive."""
        raise NotImplementedError(f"{type(self).__name__} must implement new_channel().")

    async def flush(self) -> None:
        """Forget every message and every membership (extension "flush")."""
        raise NotImplementedError(f"{type(self).__name__} has no flush().")

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group`` (extension "groups"); adding twice is harmless."""
        raise NotImplementedError(f"{type(self).__name__} has no groups.")

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        raise NotImplementedError(f"{type(self).__name__} has no groups.")

    async def group_send(self, group: str, message: Message) -> None:
        """Put ``message`` on each channel of ``group``; those that are full miss it, and are counted."""
        raise NotImplementedError(f"{type(self).__name__} has no groups.")

    def valid_channel_name(self, channel_name: object, receive: bool = False) -> bool:
        """Call ``require_valid_channel_name`` instead (deprecated in 4.3, kept for its callers)."""
        warnings.warn(
            "valid_channel_name is deprecated, use require_valid_channel_name instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.require_valid_channel_name(channel_name, receive=receive)

    def valid_group_name(self, group_name: object) -> bool:
        """Call ``require_valid_group_name`` instead (deprecated in 4.3, kept for its callers)."""
        warnings.warn(
            "valid_group_name is deprecated, use require_valid_group_name instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.require_valid_group_name(group_name)

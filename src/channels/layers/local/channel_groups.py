"""Which groups each channel has joined."""

from __future__ import annotations

from threading import Lock

#: Most channels are in one or two groups: for those a set would cost more than all else about them.
_FEW = 8


class ChannelGroups:
    """The groups of each channel, to be changed from any thread."""

    __slots__ = ("_groups", "_lock")

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, ...] | set[str]] = {}
        self._lock = Lock()

    def __contains__(self, name: str) -> bool:
        """Whether the channel ``name`` is in any group."""
        return name in self._groups

    def __getitem__(self, name: str) -> tuple[str, ...]:
        """Return the groups of a channel, as they are now."""
        return tuple(self._groups.get(name, ()))

    def add(self, name: str, group: str) -> None:
        """Note that ``name`` has joined ``group``."""
        with self._lock:
            groups = self._groups.get(name, ())
            if isinstance(groups, set):
                groups.add(group)
            elif group not in groups:
                self._groups[name] = (*groups, group) if len(groups) < _FEW else {*groups, group}

    def discard(self, name: str, group: str) -> None:
        """Note that ``name`` has left ``group``."""
        with self._lock:
            groups = self._groups.get(name, ())
            if len(groups) <= 1:
                if group in groups:
                    del self._groups[name]
            elif isinstance(groups, set):
                groups.discard(group)
            else:
                self._groups[name] = tuple(other for other in groups if other != group)

    def clear(self) -> None:
        """Forget all."""
        self._groups.clear()

"""Topics by the patterns of their names: a label has few values, and names of topics are many."""

from __future__ import annotations

from typing import Final

from channels.core.bounded_cache import BoundedCache
from channels.observability.metrics.families import OTHER

#: Names that are remembered with their patterns.
_MOST: Final = 10_000


def _find(name: str) -> str:
    from channels.topics.registry import resolve

    topic = resolve(name)
    return OTHER if topic is None else str(type(topic).pattern)


_patterns: Final[BoundedCache[str, str]] = BoundedCache("metrics.patterns", _MOST, _find)


def pattern_of_topic(name: str) -> str:
    """Return the pattern of a topic's name; that of all others for one that fits none."""
    return _patterns[name]

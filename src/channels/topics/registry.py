"""The Topic classes of a project: found by their patterns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from channels.exceptions import ChannelsError
from channels.topics.patterns import TopicPattern

#: How streams are named that topics have for themselves: whatever a pattern says, no client gets them.
RESERVED: Final = "channels.topics/"

_patterns: Final[dict[type, TopicPattern]] = {}


class UnknownTopic(ChannelsError, LookupError):
    """No Topic class has a pattern that a name fits."""


def register(cls: type) -> None:
    """Have names of ``cls.pattern`` mean topics of ``cls``.

    A class of the same module and name replaces the earlier one: a module may be loaded again.

    Raises:
        ImproperlyConfigured: another class has the same pattern, or the pattern cannot be read.
    """
    pattern = TopicPattern(getattr(cls, "pattern", ""))
    for other, known in list(_patterns.items()):
        if (other.__module__, other.__qualname__) == (cls.__module__, cls.__qualname__):
            del _patterns[other]
        elif known.text == pattern.text:
            raise ImproperlyConfigured(
                f"{cls.__module__}.{cls.__qualname__} has the pattern {pattern.text!r}, which "
                f"{other.__module__}.{other.__qualname__} has already."
            )
    _patterns[cls] = pattern


def unregister(cls: type) -> None:
    """Forget a class (for tests)."""
    _patterns.pop(cls, None)


def pattern_of(cls: type) -> TopicPattern:
    """Return the pattern of a Topic class.

    Raises:
        TypeError: it has none, so it makes no topics.
    """
    try:
        return _patterns[cls]
    except KeyError:
        raise TypeError(f"{cls.__qualname__} has no pattern, so there is no topic of it.") from None


def resolve(name: str) -> Any:
    """Return a new topic with this name; None if it fits no pattern, or is not how the topic is named."""
    if name.startswith(RESERVED):
        return None
    for cls, pattern in _patterns.items():
        parameters = pattern.match(name)
        if parameters is not None and _is_canonical(name, pattern, parameters):
            return cls(**parameters)
    return None


def require_topic(name: str) -> Any:
    """Return a new topic with this name.

    Raises:
        UnknownTopic: with the patterns there are.
    """
    topic = resolve(name)
    if topic is None:
        patterns = ", ".join(sorted(pattern.text for pattern in _patterns.values()))
        raise UnknownTopic(
            f"No topic is named {name!r}. Patterns of this project: {patterns or 'none'}. "
            "A Topic class belongs into topics.py of an installed app."
        )
    return topic


def topic_classes() -> Iterator[Any]:
    """Return the registered classes, in the order of their registration."""
    return iter(list(_patterns))


def discover() -> None:
    """Import ``topics.py`` of every installed app."""
    autodiscover_modules("topics")


def _is_canonical(name: str, pattern: TopicPattern, parameters: dict[str, Any]) -> bool:
    """Whether a name is the one that its topic has: ``7`` and ``007`` would be two streams of one topic."""
    if pattern.is_literal:
        return True
    try:
        return pattern.reverse(parameters) == name
    except ValueError:
        return False

"""Topic names and topic filters (MQTT 5.0 section 4.7), and shared subscriptions (section 4.8.2)."""

from __future__ import annotations

from typing import NamedTuple

from channels.core.bounded_cache import BoundedCache
from channels.protocols.mqtt.codes import malformed
from channels.protocols.mqtt.fields import checked_text

#: How the filter of a shared subscription begins.
SHARE = "$share/"


class SharedFilter(NamedTuple):
    """A topic filter, and the group that shares it.

    Attributes:
        group: the ShareName; "" if it is not shared.
        filter: the topic filter itself.
    """

    group: str
    filter: str


def _topic_name(data: bytes) -> str:
    name = checked_text(data)
    if "+" in name or "#" in name:
        raise malformed("A topic name has no wildcards.")
    return name


#: The longest name that is remembered, in bytes, and the names: devices publish to the same again and again.
_LONGEST = 255
_names: BoundedCache[bytes, str] = BoundedCache("mqtt.topic_names", 4096, _topic_name)


def read_topic_name(data: bytes) -> str:
    """Return a topic name; raises MQTTError for what is no text, and for one with wildcards."""
    return _names[data] if len(data) <= _LONGEST else _topic_name(data)


def split_filter(text: str) -> SharedFilter:
    """Check a topic filter, and take the group of a shared one off it.

    Raises:
        MQTTError: it is none.
    """
    group, found = "", text
    if text.startswith(SHARE):
        group, slash, found = text[len(SHARE) :].partition("/")
        if not group or not slash or "+" in group or "#" in group:
            raise malformed("A shared subscription is $share/NAME/FILTER, without wildcards in the name.")
    if not found:
        raise malformed("A topic filter has at least one character.")
    levels = found.split("/")
    for place, level in enumerate(levels):
        if "#" in level and (level != "#" or place != len(levels) - 1):
            raise malformed("# stands alone in the last level of a topic filter.")
        if "+" in level and level != "+":
            raise malformed("+ stands alone in a level of a topic filter.")
    return SharedFilter(group, found)


def is_wildcard(topic_filter: str) -> bool:
    """Whether a topic filter has wildcards: more than one topic may match."""
    return "+" in topic_filter or "#" in topic_filter


def matches(topic_filter: str, name: str) -> bool:
    """Whether a name matches a filter; one that begins with ``$`` matches no wildcard in the first level."""
    wanted, levels = topic_filter.split("/"), name.split("/")
    if name.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)

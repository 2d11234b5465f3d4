"""What became of the last messages of this process: a log with a bound, kept where somebody wants it.

Code that brings messages somewhere writes::

    if delivery_log.note is not None:
        delivery_log.note("group", group, "delivered", 12)

Without a log that costs one look at an attribute; with one, less than a microsecond for each message, not for
each receiver. Of what is in messages nothing is kept unless that is asked for.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

#: Names of what only looks at the others; it would push them out.
_UNSEEN: Final = ("channels.fleet", "channels.inspector:", "channels.topics/")
#: Groups that carry topics, measure layers, and answer the doctor: nobody sends to them by name.
_INTERNAL: Final = re.compile(r"topics\.(control|[0-9a-f]{36})|channels\.(observability|doctor)\..*")
#: Characters that are kept of a message, if any are.
MOST_CONTENT: Final = 500


class Entry(NamedTuple):
    """Something that happened to a message.

    Attributes:
        at: when, seconds since 1970.
        kind: of where it goes: "topic", "group" or "channel".
        name: of the topic, the group, the channel.
        stage: what happened: "published", "delivered", "dropped" ...
        amount: to how many connections, or how many messages.
        detail: why, or how, in a few words.
        key: the same for the same publication in all processes, and for group messages with the same
            contents; "" where messages have none.
        content: the beginning of the message; "" unless contents are kept.
        trace: the id of the trace that it is part of, 32 hexadecimal digits; "" for none.
    """

    at: float
    kind: str
    name: str
    stage: str
    amount: int
    detail: str
    key: str
    content: str
    trace: str = ""


Note: TypeAlias = Callable[..., None]

#: Writes an entry; None where there is no log.
note: Note | None = None
_entries: deque[tuple[float, str, str, str, int, str, str | int, str, str]] = deque()
_encode: Callable[[Any], bytes] | None = None
#: What people paste: an id by itself, or a whole ``traceparent``.
_TRACE: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?", re.IGNORECASE)
_now: Final = time.time
_with_contents = False


def keep(most: int, contents: bool = False, encode: Callable[[Any], bytes] | None = None) -> None:
    """Keep the last ``most`` entries of this process from now on; 0: no log.

    Args:
        most: how many.
        contents: keep the beginning of each message too.
        encode: writes a group message as bytes, the same where it was sent and where it has come: from their
            checksum it has its key; None: it has none.
    """
    global note, _entries, _with_contents, _encode
    _entries = deque(_entries, maxlen=most)
    _with_contents, _encode = contents, encode
    note = _note if most else None


def _note(
    kind: str,
    name: str,
    stage: str,
    amount: int = 1,
    detail: str = "",
    key: str = "",
    message: Any = None,
    trace: str = "",
) -> None:
    """Write an entry, from any thread; a message says itself which trace it is part of."""
    if name[:9] == "channels." and name.startswith(_UNSEEN):
        return
    content = _text(message) if _with_contents and message is not None else ""
    if message is not None and (beside := getattr(message, "beside", None)):
        trace = _trace_of(beside)
    checked = key or (_checksum(message) if kind == "group" and message is not None else "")
    # An Entry, or the text of the checksum, takes longer than all the rest.
    _entries.append((_now(), kind, name, stage, amount, detail, checked, content, trace))


def trace_of(carrier: Any) -> str:
    """Return the id of the trace that travels beside something; "" if none does."""
    beside = getattr(carrier, "beside", None)
    return _trace_of(beside) if beside else ""


def _trace_of(beside: dict[str, Any]) -> str:
    return str(beside.get("traceparent", ""))[3:35]


def trace_in(text: str) -> str:
    """Return the id of a trace that was pasted, by itself or as a ``traceparent``; "" if it is none."""
    found = _TRACE.fullmatch(text.strip())
    return found[1].lower() if found else ""


def _checksum(message: Any) -> int | str:
    """Return a checksum of what is in a message; "" where it has none."""
    try:
        return "" if _encode is None else crc32(_encode(message))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ""  # a layer in memory takes values that nothing else would


def _text(message: Any) -> str:
    if isinstance(message, dict):
        return repr(message)[:MOST_CONTENT]
    return bytes(message)[:MOST_CONTENT].decode("utf-8", "replace")


def with_contents() -> bool:
    """Return whether contents of messages may be kept and shown in this process."""
    return _with_contents


def entries(name: str, limit: int, trace: str = "") -> list[Entry]:
    """Return the last entries about a topic, a group, a channel or a task, the newest first.

    Args:
        name: its whole name, or the path of the task.
        limit: entries at most.
        trace: of this trace instead, whatever they are about.
    """
    found: list[Entry] = []
    place, wanted = (8, trace) if trace else (2, name)
    for entry in reversed(tuple(_entries)):
        if entry[place] == wanted:
            key = entry[6]
            text = key if isinstance(key, str) else f"{key:08x}"
            found.append(Entry(*entry[:6], text, *entry[7:]))
            if len(found) == limit:
                break
    return found


def is_internal(name: str) -> bool:
    """Whether a group carries our own traffic, and not what a project has sent to it by name."""
    return _INTERNAL.fullmatch(name) is not None


def names(text: str, limit: int) -> list[tuple[str, str]]:
    """Return kind and name of what was written to last, if ``text`` is a part of the name.

    Groups of our own are left out, unless ``text`` is the whole name.
    """
    found: dict[tuple[str, str], None] = {}
    for entry in reversed(tuple(_entries)):
        if text in entry[2] and (text == entry[2] or not is_internal(entry[2])):
            found[entry[1], entry[2]] = None
            if len(found) == limit:
                break
    return list(found)

"""Recordings: the messages of one connection or one topic as lines of JSON, personal data masked.

The first line says what was recorded; each other line is a message, with the seconds since the beginning.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

#: In the place of what is masked; a replay takes anything for it.
MASKED: Final = "***"
#: Words in the keys of JSON objects whose values are masked.
KEYS: Final = (
    "password", "passwd", "secret", "token", "cookie", "session", "auth", "email", "mail", "phone", "address",
    "first_name", "last_name", "full_name", "username", "birth", "iban", "card",
)  # fmt: skip
#: What is masked wherever it stands in a text: addresses of mail, tokens, long numbers.
PATTERNS: Final = (
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"\+?\d[\d \-/]{7,}\d"),
)
_FORMAT: Final = 1


class RecordingError(ValueError):
    """What should be a recording is none; the error says which line, and why."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message.

    Attributes:
        at: seconds since the beginning.
        direction: "in": from the client; "out": to it.
        data: text, or bytes.
    """

    at: float
    direction: str
    data: str | bytes


@dataclass(slots=True)
class Recording:
    """What was recorded.

    Attributes:
        of: "connection" or "topic".
        name: the path of the connection, or the name of the topic.
        subprotocols: those that the client has offered.
        frames: the messages, in order.
        complete: False if some could not be recorded, or were too many.
    """

    of: str
    name: str
    subprotocols: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    complete: bool = True

    def masked(self, keys: Iterable[str] = ()) -> Recording:
        """Return it without personal data.

        Args:
            keys: more words in keys whose values are masked, beside :data:`KEYS`.
        """
        mask = Mask(keys)
        frames = [Frame(each.at, each.direction, mask(each.data)) for each in self.frames]
        return Recording(self.of, self.name, self.subprotocols, frames, self.complete)

    def dumps(self) -> str:
        """Return it as text."""
        head = {
            "format": _FORMAT,
            "of": self.of,
            "name": self.name,
            "subprotocols": self.subprotocols,
            "complete": self.complete,
        }
        return "".join(json.dumps(line) + "\n" for line in [head, *map(_line, self.frames)])

    @classmethod
    def loads(cls, text: str) -> Recording:
        """Return what :meth:`dumps` has written; raises RecordingError."""
        number = 0
        try:
            head, *lines = [json.loads(line) for line in text.splitlines() if line.strip()]
            if head["format"] != _FORMAT:
                raise RecordingError(
                    f"Line 1: its format is {head['format']!r}; this release reads {_FORMAT}."
                )
            found = cls(head["of"], head["name"], list(head["subprotocols"]), complete=head["complete"])
            for number, line in enumerate(lines, 2):  # noqa: B007  # for the error
                found.frames.append(_frame(line))
        except RecordingError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"Line {number or 1} is none of a recording: {error!r}.") from error
        return found


def _line(frame: Frame) -> dict[str, Any]:
    if isinstance(frame.data, str):
        return {"at": frame.at, "direction": frame.direction, "text": frame.data}
    return {"at": frame.at, "direction": frame.direction, "bytes": base64.b64encode(frame.data).decode()}


def _frame(line: dict[str, Any]) -> Frame:
    data = line["text"] if "text" in line else base64.b64decode(line["bytes"], validate=True)
    if line["direction"] not in ("in", "out") or not isinstance(data, str | bytes):
        raise ValueError(line["direction"])
    return Frame(float(line["at"]), line["direction"], data)


class Mask:
    """Masks personal data in messages: JSON by keys and patterns, other text by patterns, bytes as a whole.

    Args:
        keys: more words in keys whose values are masked, beside :data:`KEYS`.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys = tuple(key.casefold() for key in (*KEYS, *keys))

    def __call__(self, data: str | bytes) -> str | bytes:
        """Return a message without personal data; of bytes only their number is left."""
        if isinstance(data, bytes):
            return bytes(len(data))
        return "\n".join(map(self._masked_text, data.split("\n")))  # clients of topics put many into one

    def _masked_text(self, text: str) -> str:
        if text[:1] in ("{", "["):
            try:
                return json.dumps(self._masked(json.loads(text)), ensure_ascii=False)
            except ValueError:
                pass  # no JSON after all
        return _without_patterns(text)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._masked_item(key, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._masked(each) for each in value]
        return _without_patterns(value) if isinstance(value, str) else value

    def _masked_item(self, key: str, value: Any) -> Any:
        personal = any(word in key.casefold() for word in self._keys)
        return MASKED if personal and not isinstance(value, dict | list) else self._masked(value)


def _without_patterns(text: str) -> str:
    for pattern in PATTERNS:
        text = pattern.sub(MASKED, text)
    return text

"""What processes tell each other of missing messages: questions in JSON, answers with sealed messages."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from channels.layers.redis.wire.gaps import Span
from channels.layers.redis.wire.keys import Kind

#: Kinds of topics whose messages are numbered.
NUMBERED: Final[tuple[Kind, ...]] = ("group", "process", "channel")
_LENGTH: Final = struct.Struct(">I")


class Place(NamedTuple):
    """One sender on one topic.

    Attributes:
        kind: of the topic.
        name: of the topic.
        sender: who has numbered the messages.
    """

    kind: Kind
    name: str
    sender: bytes


class Question(NamedTuple):
    """Numbers that somebody has missed.

    Attributes:
        place: whose they are.
        span: the first and the last.
        age: seconds for which whoever asks has listened, if the sender is to choose by it what was meant
            for them.
    """

    place: Place
    span: Span
    age: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the first of the numbers that were asked for.

    Attributes:
        place: whose they are.
        span: the numbers this is about.
        gone: those among them that were accepted and are not kept any more.
        messages: sealed messages, as they travelled on the topic.
    """

    place: Place
    span: Span
    gone: Sequence[Span]
    messages: Sequence[bytes]


def question_signal(reply_to: bytes, questions: Iterable[Question]) -> dict[str, Any]:
    """Return the signal that asks, to be answered to the process with the token ``reply_to``."""
    return {"do": "repair", "for": reply_to.hex(), "missing": [_question(each) for each in questions]}


def _question(question: Question) -> list[Any]:
    kind, name, sender = question.place
    return [kind, name, sender.hex(), *question.span, question.age]


def read_questions(signal: Any) -> tuple[bytes, list[Question]]:
    """Return who asks and what; raises ValueError, KeyError or TypeError if it is no such signal."""
    if signal["do"] != "repair":
        raise ValueError(f"no question about missing messages: {signal!r:.80}")
    return bytes.fromhex(signal["for"]), [_read_question(*each) for each in signal["missing"]]


def _read_question(kind: str, name: str, sender: str, first: int, last: int, age: float | None) -> Question:
    return Question(_place(kind, name, sender), (int(first), int(last)), None if age is None else float(age))


def _place(kind: str, name: str, sender: str) -> Place:
    if kind not in NUMBERED:
        raise ValueError(f"messages on {kind!r:.80} have no numbers")
    return Place(kind, str(name), bytes.fromhex(sender))


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as bytes."""
    kind, name, sender = answer.place
    facts = {
        "of": [kind, name, sender.hex()],
        "span": answer.span,
        "gone": list(answer.gone),
        "sizes": [len(each) for each in answer.messages],
    }
    head = json.dumps(facts).encode()
    return b"".join([_LENGTH.pack(len(head)), head, *answer.messages])


def decode_answer(data: bytes) -> Answer:
    """Return the answer that these bytes are; raises ValueError, KeyError or TypeError if they are none."""
    if len(data) < _LENGTH.size:
        raise ValueError("an answer about missing messages has no head")
    at = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    facts = json.loads(data[_LENGTH.size : at])
    messages = []
    for size in facts["sizes"]:
        messages.append(data[at : at + size])
        at += size
    if at != len(data):
        raise ValueError("an answer about missing messages is cut off")
    gone = [(int(first), int(last)) for first, last in facts["gone"]]
    first, last = facts["span"]
    return Answer(_place(*facts["of"]), (int(first), int(last)), gone, messages)

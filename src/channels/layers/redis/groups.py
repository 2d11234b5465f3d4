"""Asks every process that has members in a group who they are."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final

from channels.layers.members import Answers

#: Channels that one message of an answer holds.
CHUNK: Final = 1000


def question(reply_to: str) -> dict[str, str]:
    """Return a question for the topic of a group, to be answered on the topic of the process ``reply_to``."""
    return {"do": "tell", "number": uuid.uuid4().hex, "for": reply_to}


def answers_to(asked: Any, channels: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the messages that answer a question; raises KeyError or ValueError if it is none."""
    if asked["do"] != "tell":
        raise ValueError(f"no question about a group: {asked!r:.80}")
    for start in range(0, max(1, len(channels)), CHUNK):
        last = start + CHUNK >= len(channels)
        part = channels[start : start + CHUNK]
        yield {"do": "members", "number": asked["number"], "channels": part, "last": last}


def take_answer(answers: dict[str, Answers], content: Any) -> None:
    """Hand an answer to whoever asked, if somebody still waits for it."""
    waiting = answers.get(content["number"])
    if waiting is not None:
        waiting.add(content["channels"], content["last"])


def read_answers(pubsub: Any, sharded: bool, seconds: float, waiting: Answers, open_signal: Any) -> None:
    """Read answers with a blocking client until all have come, or ``seconds`` are over."""
    read = pubsub.get_sharded_message if sharded else pubsub.get_message
    deadline = time.monotonic() + seconds
    while not waiting.done.done() and (left := deadline - time.monotonic()) > 0:
        message = read(timeout=left)
        if message is not None and message["type"] in ("message", "smessage"):
            content = json.loads(open_signal(message["data"]))
            waiting.add(content["channels"], content["last"])

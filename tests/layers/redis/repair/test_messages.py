from __future__ import annotations

import json
from typing import Any

import pytest

from channels.layers.redis.repair.messages import (
    Answer,
    Place,
    Question,
    decode_answer,
    encode_answer,
    question_signal,
    read_questions,
)

PLACE = Place("group", "room", b"sender-1")


def test_questions_there_and_back():
    questions = [Question(PLACE, (3, 9), None), Question(Place("process", "x", bytes(8)), (1, 1), 2.5)]
    signal = json.loads(json.dumps(question_signal(b"four", questions)))
    assert read_questions(signal) == (b"four", questions)


GOOD: dict[str, Any] = {"do": "repair", "for": "00000000", "missing": []}


@pytest.mark.parametrize(
    "signal",
    [
        {},
        [],
        {**GOOD, "do": "tell"},
        {**GOOD, "for": "no hex"},
        {**GOOD, "missing": [["stream", "x", "00", 1, 2, None]]},
        {**GOOD, "missing": [["group", "x", "00", 1]]},
        {**GOOD, "missing": [["group", "x", "00", "one", 2, None]]},
    ],
)
def test_what_is_no_question_is_refused(signal):
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_questions(signal)


@pytest.mark.parametrize("messages", [[], [b""], [b"one", b"", b"three"]])
def test_answers_there_and_back(messages):
    answer = Answer(PLACE, (3, 9), [(4, 5)], messages)
    assert decode_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize("cut", [0, 3, 4, 20, -1])
def test_an_answer_that_is_cut_off_is_refused(cut):
    with pytest.raises(ValueError, match="head|cut off|Expecting|Unterminated"):
        decode_answer(encode_answer(Answer(PLACE, (3, 9), [], [b"message"]))[:cut])

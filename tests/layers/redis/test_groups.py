"""Questions who is in a group, and their answers in pieces."""

from __future__ import annotations

import json
import threading
import time

import pytest
import redis

from channels.layers.members import Answers
from channels.layers.redis.groups import CHUNK, answers_to, question, read_answers, take_answer


@pytest.mark.parametrize("amount", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_an_answer_comes_in_pieces_and_the_last_one_says_so(amount):
    channels = [f"c{n}" for n in range(amount)]
    asked, answers = question("me"), Answers()
    waiting = {asked["number"]: answers}
    answers.expect(1)
    pieces = list(answers_to(asked, channels))
    for piece in pieces:
        assert not answers.done.done()
        take_answer(waiting, json.loads(json.dumps(piece)))
    assert answers.done.done()
    assert answers.result([]) == sorted(channels)
    assert all(len(piece["channels"]) <= CHUNK for piece in pieces)


def test_questions_differ_and_say_where_to_answer():
    one, two = question("me"), question("me")
    assert one["for"] == "me"
    assert one["number"] != two["number"]


@pytest.mark.parametrize(("asked", "error"), [({"do": "forget"}, ValueError), ({}, KeyError)])
def test_what_is_no_question(asked, error):
    with pytest.raises(error):
        list(answers_to(asked, []))


def test_answers_that_nobody_waits_for_are_ignored():
    take_answer({}, next(answers_to(question("me"), [])))


def test_a_blocking_client_reads_until_all_have_answered_or_the_time_is_over(server):
    with redis.Redis(port=server.port) as client, client.pubsub() as pubsub:
        pubsub.subscribe("answers")
        asked, answers = question("me"), Answers()
        answers.expect(2)

        def answer():
            for name in "ab":
                for piece in answers_to(asked, [name]):
                    client.publish("answers", b"sealed " + json.dumps(piece).encode())

        thread = threading.Thread(target=answer)
        thread.start()
        read_answers(pubsub, False, 30.0, answers, lambda data: data.removeprefix(b"sealed "))
        thread.join()
        assert answers.result([]) == ["a", "b"]
        silent = Answers()
        silent.expect(1)
        begun = time.monotonic()
        read_answers(pubsub, False, 0.05, silent, bytes)
        assert time.monotonic() - begun < 10
        assert silent.result([]).unanswered == 1

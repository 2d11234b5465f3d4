"""What is asked of Redis, and what its answers mean."""

from __future__ import annotations

import msgspec
import pytest

from channels.protocols.centrifuge.messages import Join, Leave, Publication
from channels.testing.store_contract.tools import append, client
from channels.topics.stores.base import Position, Published, Retention
from channels.topics.stores.records import encode_client, encode_publication
from channels.topics.stores.redis import requests as requests_module
from channels.topics.stores.redis.keys import TopicKeys
from channels.topics.stores.redis.requests import Requests

REQUESTS = Requests(TopicKeys("p"), lease=2.5)


def test_a_publication_without_history_needs_no_script():
    request = REQUESTS.publish(append("t", 1, Retention()))
    assert request.command("SPUBLISH", False)[:2] == ("SPUBLISH", b"p:{t}:s")
    assert request.answer(3) == Published(Position(0, ""))
    assert request.tries == 1


def test_only_what_can_be_told_apart_is_tried_twice():
    assert REQUESTS.publish(append("t", 1)).tries == 1
    assert REQUESTS.publish(append("t", 1, idempotency_key="k")).tries == 2
    assert REQUESTS.read("t", None, 1, False).tries == 2
    assert REQUESTS.broadcast(b"").tries == 1


def test_times_are_milliseconds():
    *_, size, ttl, position_ttl, verb = REQUESTS.publish(append("t", 1, Retention(5, 1.5, 0.5))).command(
        "P", False
    )
    assert (size, ttl, position_ttl, verb) == (5, 1500, 1500, "P")
    assert 2500 in REQUESTS.presence("t").command("P", False)


@pytest.mark.parametrize(
    ("reply", "published"),
    [
        (b"7 abc", Published(Position(7, "abc"))),
        (b"0 ", Published(Position(0, ""))),
        (b"!7 abc", Published(Position(7, "abc"), accepted=False)),
    ],
)
def test_answers_to_a_publication(reply, published):
    assert requests_module.published(reply) == published


@pytest.mark.parametrize(
    ("since", "reverse", "expected"),
    [
        (None, False, ("XRANGE", "-", "+")),
        (0, False, ("XRANGE", "1-0", "+")),
        (7, False, ("XRANGE", "8-0", "+")),
        (None, True, ("XREVRANGE", "+", "-")),
        (7, True, ("XREVRANGE", f"6-{2**64 - 1}", "-")),
        (0, True, ("XREVRANGE", f"0-{2**64 - 1}", "-")),
    ],
)
def test_ids_are_whole(since, reverse, expected):
    """``(5`` would exclude 5-0 only, and nothing at the end."""
    assert requests_module._range(since, reverse) == expected


def test_events():
    person, publication = client("c", "u"), Publication(data=msgspec.Raw(b"1"), time=5)
    record = encode_publication(publication)
    assert requests_module.event(b"P7 abc " + record) == msgspec.structs.replace(
        publication, offset=7, epoch="abc"
    )
    assert requests_module.event(b"P0  " + record) == publication
    assert requests_module.event(b"J" + encode_client(person)) == Join(info=person)
    assert requests_module.event(b"L" + encode_client(person)) == Leave(info=person)


def test_who_is_present_in_either_shape():
    person = client("c", "é")
    entry = requests_module._entry(person, True)
    assert entry[:1] == b"1"
    assert requests_module.who([b"c", entry]) == requests_module.who({b"c": entry}) == {"c": person}


def test_epochs_are_different():
    assert len({requests_module.new_epoch() for _ in range(1000)}) > 990

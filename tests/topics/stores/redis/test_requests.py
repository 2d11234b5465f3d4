"""What is asked of Redis, and what its answers mean."""

from __future__ import annotations

import msgspec
import pytest

from channels.protocols.centrifuge.messages import Join, Leave, Publication
from channels.testing.store_contract.tools import append, client
from channels.topics.stores.base import Position, Published, Retention
from channels.topics.stores.records import NotARecord, encode_client, encode_publication
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


def test_what_is_no_event_is_refused():
    for data in (b"", b"?", b"P", b"Px e r", b"P1 e \x01", b"J", b"L\xc1"):
        with pytest.raises((ValueError, NotARecord)):
            requests_module.event(data)


def test_a_page():
    publication = Publication(data=msgspec.Raw(b"1"))
    found = requests_module.page([b"8 abc", b"7-1764521000123", encode_publication(publication)])
    assert found.position == Position(8, "abc")
    assert found.publications == [msgspec.structs.replace(publication, offset=7, epoch="abc")]
    assert requests_module.page([b"0 abc"]).publications == []


def test_the_steps_of_presence():
    person = client("c", "u")
    entry = requests_module._entry(person, True)
    keys = (b"p:{t}:s", b"p:{t}:p", b"p:{t}:l", b"p:{t}:u")
    for request, args in (
        (REQUESTS.join("t", person, True), (b"c", entry)),
        (REQUESTS.leave("t", person, False), (b"c", 0)),
        (REQUESTS.renew("t", [(person, True)] * 2), (b"c", entry) * 2),
        (REQUESTS.presence_stats("t"), ()),
    ):
        assert request.command("PUBLISH", False)[2:] == (4, *keys, "PUBLISH", 2500, *args)
        assert request.command("PUBLISH", True)[0] == "EVAL"
        assert request.key == keys[0]
    assert REQUESTS.join("t", person, True).answer(1) is True
    assert REQUESTS.presence_stats("t").answer([3, 2]) == (3, 2)
    assert REQUESTS.renew("t", []).answer(1) is None


def test_steps_without_a_script():
    assert REQUESTS.remove("t").command("PUBLISH", False) == ("UNLINK", b"p:{t}:s")
    assert REQUESTS.broadcast(b"m").command("SPUBLISH", False) == ("SPUBLISH", b"p:control", b"m")


def test_keys_and_versions_stand_behind():
    request = REQUESTS.publish(append("t", 1, Retention(), idempotency_key="k", version=7, version_epoch="é"))
    name, _, amount, *rest = request.command("PUBLISH", False)
    assert (name, amount, rest[:3]) == ("EVALSHA", 3, [b"p:{t}:s", b"p:{t}:m", b"p:{t}:i:k"])
    assert rest[-3:] == [300_000, "0000000000000000007", "é".encode()]
    assert REQUESTS.read("t", 4, 9, False).command("PUBLISH", True)[-4:] == ("XRANGE", "5-0", "+", 9)

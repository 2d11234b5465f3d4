"""Subscribers that get the same bytes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from channels import telemetry
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import ClientInfo, Join, Publication
from channels.topics.delivery.audience import Audience, form_of
from channels.topics.delivery.deltas import Change
from channels.topics.delivery.frames import MessageFraming
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.delivery.subscription import Subscription

INFO = ClientInfo(user="1", client="c")


class Client:
    id, user_id = "c", "1"

    def disconnect(self, code: int, reason: str) -> None: ...

    def unsubscribe(self, topic: str, code: int, reason: str) -> None: ...

    def position_lost(self, subscription: Subscription) -> None: ...

    def recheck(self, topic: str) -> None: ...

    def resubscribed(self, *values: Any) -> None: ...


async def _write(frame: Any) -> None: ...


def subscription(**options: Any) -> Subscription:
    client: Any = Client()
    return Subscription(client, Outbox(MessageFraming(JSON), refuse, _write, 1000), "t", INFO, **options)


def audience(*members: Subscription) -> Audience:
    made = Audience(form_of(members[0]), "t", 7)
    for member in members:
        made.add(member)
    return made


def change(data: bytes, offset: int = 0, **fields: Any) -> Change:
    return Change(Publication(data=msgspec.Raw(data), offset=offset, **fields), None)


def batches(made: Audience, *events: Any) -> list[tuple[list[Any], list[Subscription]]]:
    return [
        ([msgspec.json.decode(line) for line in frame.data.splitlines()], members)
        for frame, members in made.batches(events)
    ]


def test_all_get_one_frame_with_all_events() -> None:
    one, two = subscription(), subscription()
    (lines, members), *more = batches(audience(one, two), change(b"1", 5), change(b"2", 6))
    assert (members, more) == ([one, two], [])
    assert [line["push"]["pub"] for line in lines] == [{"data": 1, "offset": 5}, {"data": 2, "offset": 6}]
    assert {line["push"]["channel"] for line in lines} == {"t"}


def test_a_number_stands_for_the_name() -> None:
    ((line,), _) = batches(audience(subscription(numbered=True)), change(b"1"))[0]
    assert line["push"]["id"] == 7
    assert "channel" not in line["push"]


def test_who_wants_no_joins_gets_none() -> None:
    assert batches(audience(subscription()), Join(info=INFO)) == []
    (lines, _) = batches(audience(subscription(join_leave=True)), Join(info=INFO))[0]
    assert lines[0]["push"]["join"]["info"]["client"] == "c"


def test_filters_choose_for_each_member_and_equal_choices_share_a_frame() -> None:
    def tech(tags: Mapping[str, str]) -> bool:
        return tags.get("sector") == "tech"

    plain, first, second = subscription(), subscription(passes=tech), subscription(passes=tech)
    events = [change(b"1", tags={"sector": "tech"}), change(b"2", tags={"sector": "food"})]
    found = batches(audience(plain, first, second), *events)
    assert [(len(lines), members) for lines, members in found] == [(2, [plain]), (1, [first, second])]


def test_who_has_left_gets_nothing() -> None:
    one = subscription()
    made = audience(one)
    made.discard(one)
    assert len(made) == 0
    assert batches(made, change(b"1")) == []


def test_what_cannot_be_encoded_is_counted_and_left_out_alone() -> None:
    before = telemetry.counters["topics.not_encodable"]
    (lines, _) = batches(audience(subscription()), change(b"\xff"), change(b"2"))[0]
    assert [line["push"]["pub"]["data"] for line in lines] == [2]
    assert telemetry.counters["topics.not_encodable"] == before + 1

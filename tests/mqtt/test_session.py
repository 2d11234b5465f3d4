"""The session of a client without a connection, and with one that only records."""

from __future__ import annotations

from typing import Any

import pytest

from channels import telemetry
from channels.mqtt.session import Session
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import PubAck, PubComp, Publish, PubRec, PubRel


class RecordingPeer:
    """A connection that keeps what it was to send."""

    def __init__(self, window: int = 10, congested: bool = False, version: int = 5) -> None:
        self.window, self.congested, self.version = window, congested, version
        self.sent: list[Any] = []
        self.takes = True

    def send(self, packet: Any) -> bool:
        if self.takes:
            self.sent.append(packet)
        return self.takes

    def write(self, data: bytes) -> bool:
        return self.send(data)

    def end(self, reason: Reason) -> None:
        self.sent.append(reason)


class PlainMessage:
    def encoded(self, version: int) -> bytes:
        return bytes([version])


def session(**more: Any) -> Session:
    return Session(("1", "c"), None, 5, **more)


def message(payload: bytes = b"x", qos: int = 1, **properties: Any) -> Publish:
    return Publish("t", payload, qos, properties=properties)


def dropped() -> int:
    return telemetry.counters["mqtt.message_dropped"]


def test_qos_0_is_for_who_is_there_and_reads() -> None:
    away, before = session(), dropped()
    away.deliver(message(qos=0))
    away.deliver_plain(PlainMessage())
    assert dropped() == before
    for peer, lost in ((RecordingPeer(), 0), (RecordingPeer(congested=True), 2)):
        there, before = session(peer=peer), dropped()
        there.deliver(message(qos=0))
        there.deliver_plain(PlainMessage())
        assert dropped() - before == lost
        assert len(peer.sent) == 2 - lost


def test_what_a_client_cannot_take_is_dropped_and_takes_no_identifier_of_the_window() -> None:
    peer = RecordingPeer(window=1)
    there, before = session(peer=peer), dropped()
    peer.takes = False
    there.deliver(message(qos=0))
    there.deliver_plain(PlainMessage())
    there.deliver(message(b"large"))
    assert dropped() == before + 3
    peer.takes = True
    there.deliver(message(b"small"))
    assert [each.payload for each in peer.sent] == [b"small"]


def test_a_message_that_has_expired_while_it_waited_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    away, now, before = session(), [1000.0], dropped()
    monkeypatch.setattr("channels.mqtt.session.time.time", lambda: now[0])
    away.deliver(message(b"short", message_expiry_interval=5))
    away.deliver(message(b"long", message_expiry_interval=50))
    now[0] += 10
    peer = RecordingPeer()
    away.resume(peer)
    assert [(each.payload, each.properties) for each in peer.sent] == [
        (b"long", {"message_expiry_interval": 40})
    ]
    assert dropped() == before + 1


def test_a_client_that_refuses_a_message_of_qos_2_makes_room_for_the_next() -> None:
    peer = RecordingPeer(window=1)
    there = session(peer=peer)
    there.deliver(message(b"1", 2))
    there.deliver(message(b"2", 2))
    there.acknowledge(PubRec(1, Reason.QUOTA_EXCEEDED))
    assert [each.payload for each in peer.sent] == [b"1", b"2"]


def test_acknowledgements_of_what_was_not_sent_change_nothing() -> None:
    peer = RecordingPeer()
    there = session(peer=peer)
    there.acknowledge(PubRec(9))
    assert peer.sent == [PubRel(9, Reason.PACKET_IDENTIFIER_NOT_FOUND)]
    there.deliver(message(b"1", 2))
    for stray in (PubAck(1), PubComp(1), PubAck(7), PubComp(7)):
        there.acknowledge(stray)
    again = RecordingPeer()
    there.resume(again)
    assert again.sent == [Publish("t", b"1", 2, dup=True, packet_id=1)]


def test_a_message_that_was_received_is_released_again_over_a_new_connection() -> None:
    there = session(peer=RecordingPeer())
    there.deliver(message(b"1", 2))
    there.acknowledge(PubRec(1))
    again = RecordingPeer()
    there.resume(again)
    assert again.sent == [PubRel(1)]
    there.acknowledge(PubComp(1))
    last = RecordingPeer()
    there.resume(last)
    assert last.sent == []


def test_identifiers_go_round_and_leave_out_those_that_wait() -> None:
    peer = RecordingPeer(window=3)
    there = session(peer=peer)
    there.deliver(message())
    there._last_id = 65535
    there.deliver(message())
    assert [each.packet_id for each in peer.sent] == [1, 2]


def test_a_connection_that_lost_its_place_ends_nothing() -> None:
    first, second = RecordingPeer(), RecordingPeer()
    there = session(peer=first)
    there.peer = second
    assert not there.leave(first)
    assert there.leave(second)
    assert there.peer is None


def test_the_bytes_that_wait_are_bounded_and_what_is_above_is_counted() -> None:
    away, before, reasons = session(max_queued_bytes=100), dropped(), []
    detach = telemetry.attach(lambda event, facts: reasons.append(facts.get("reason")))
    for number in (b"1", b"2", b"3"):
        away.deliver(message(number * 45))
    away.deliver(message(b"small", user_property=[("name", "x" * 45)]))
    detach()
    assert (dropped(), reasons) == (before + 2, ["bytes", "bytes"])
    away.resume(peer := RecordingPeer())
    assert [each.payload for each in peer.sent] == [b"1" * 45, b"2" * 45]
    away.leave(peer)
    away.deliver(message(b"x" * 1000))  # nothing else waits
    away.deliver(message(b"4"))
    away.resume(peer)
    assert [len(each.payload) for each in peer.sent[4:]] == [1000]


def test_what_is_given_back_waits_no_longer() -> None:
    away, back = session(max_queued_bytes=100), []
    away.deliver(message(b"1" * 90), None, lambda publish, mark: back.append(publish.payload))
    away.give_back(sent=False)
    assert back == [b"1" * 90]
    before = dropped()
    away.deliver(message(b"2" * 45))
    away.deliver(message(b"3" * 45))
    assert dropped() == before

from __future__ import annotations

from channels.layers.redis.wire import sequencing as envelope
from channels.layers.redis.wire.sequencing import (
    MARK,
    MESSAGE,
    Envelope,
    SenderNames,
    SequenceNumbers,
    encode_envelope,
    token_of,
    unseal,
)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_there_and_back():
    data = encode_envelope(MESSAGE, b"8 bytes!", 2**40, "specific.x!y", b"body")
    assert unseal(data) == Envelope(MESSAGE, b"8 bytes!", 2**40, "specific.x!y", b"body")


def test_processes_of_earlier_releases_read_what_is_written():
    data = encode_envelope(MESSAGE, b"8 bytes!", 2, "x!y", b"body")
    assert data == b"\x118 bytes!\x00\x00\x00\x00\x00\x00\x00\x02\x03x!ybody"
    numbers = SequenceNumbers(Clock())
    numbers.settle(b"t", numbers.next(b"t"))
    mark = encode_envelope(*numbers.mark(b"t"))
    assert mark == b"\x12" + numbers.sender + (1).to_bytes(8) + b"\x00" + bytes(8)


def test_the_name_of_a_sender_says_whom_to_ask_if_somebody_listens_there():
    names = SenderNames()
    numbers = SequenceNumbers(names=names)
    numbers.next(b"t")
    plain = numbers.sender
    assert token_of(plain) is None
    names.askable = True
    assert numbers.next(b"t") == 1
    assert token_of(numbers.sender) == names.token
    other = SequenceNumbers(names=names)
    assert other.sender != numbers.sender
    assert token_of(other.sender) == names.token
    assert numbers.next(b"t") == 2
    names.askable = False
    assert numbers.next(b"t") == 1
    assert token_of(numbers.sender) is None
    assert not numbers.idle


def test_what_is_none_of_ours():
    for data in (b"", b"1", b"\x99" * 40, encode_envelope(MESSAGE, b"8 bytes!", 1, "channel", b"")[:-1]):
        assert unseal(data) is None


def test_numbers_count_per_topic_and_begin_anew_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_TOPICS", 2)
    numbers = SequenceNumbers()
    sender = numbers.sender
    assert [numbers.next(topic) for topic in (b"a", b"a", b"b", b"a")] == [1, 2, 1, 3]
    assert numbers.settled(b"a") == 0
    numbers.settle(b"a", 1)
    numbers.settle(b"a", 3)
    assert numbers.settled(b"a") == 1
    numbers.settle(b"a", 2)
    assert (numbers.settled(b"a"), numbers.settled(b"c")) == (3, 0)
    assert numbers.next(b"c") == 1
    assert numbers.sender != sender
    assert numbers.settled(b"a") == 0
    numbers.settle(b"a", 3)


def test_a_mark_tells_what_was_reached_and_since_when():
    clock = Clock()
    numbers = SequenceNumbers(clock)
    numbers.settle(b"t", numbers.next(b"t"))
    numbers.next(b"t")
    clock.now += 2.5
    mark = numbers.mark(b"t")
    assert (mark.kind, mark.number, envelope.AGE.unpack(mark.body)) == (MARK, 1, (2.5,))

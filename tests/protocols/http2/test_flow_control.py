import pytest
from h2.errors import ErrorCodes

from channels.protocols.http2.flow_control import ReceiveWindow, StreamState
from channels.protocols.http2.frames import ConnectionFault


def test_a_window_that_is_read_slowly_opens_by_half():
    window = ReceiveWindow(100)
    window.take(100)
    assert [window.give_back(25) for _ in range(4)] == [0, 50, 0, 50]


def test_a_window_takes_no_more_than_it_has():
    window = ReceiveWindow(10)
    window.take(10)
    window.give_back(10)
    window.take(10)
    with pytest.raises(ConnectionFault) as caught:
        window.take(1)
    assert caught.value.code == ErrorCodes.FLOW_CONTROL_ERROR


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([(3, True)], True),
        ([(1, False), (2, False), (0, True)], True),
        ([(2, True)], False),
        ([(4, False)], False),
        ([(3, False), (1, True)], False),
    ],
)
def test_a_body_is_what_its_length_said(parts, kept):
    stream = StreamState(0, 0, ended=False)
    stream.body_left = 3
    assert all(stream.promised(size, ended) for size, ended in parts) is kept


def test_a_stream_without_a_body_has_no_window_for_one():
    assert StreamState(10, 10, ended=True).receive is None

import pytest

from channels.protocols.http2.engine import HTTP2Limits
from channels.protocols.http2.engines import HTTP2_ENGINES
from tests.protocols.http2_peer import SETTINGS, WINDOW_UPDATE, frames_of


@pytest.fixture(params=[*HTTP2_ENGINES.values()], ids=[*HTTP2_ENGINES])
def new_engine(request):
    return request.param


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stream_window": -1}, "stream_window is 0 to"),
        ({"stream_window": 2**31}, "stream_window is 0 to"),
        ({"connection_window": 65_534}, "connection_window is 65535 to"),
        ({"connection_window": 2**31}, "connection_window is 65535 to"),
    ],
)
def test_windows_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        HTTP2Limits(**wrong)


def test_what_is_announced(new_engine):
    limits = HTTP2Limits(max_streams=7, stream_window=70_000, connection_window=65_636)
    engine = new_engine(limits, None)
    settings, window = frames_of(engine.data_to_send())
    assert settings[0] == SETTINGS
    values = {
        settings[3][i + 1]: int.from_bytes(settings[3][i + 2 : i + 6], "big")
        for i in range(0, len(settings[3]), 6)
    }
    assert (values[3], values[4], values[6], values[8]) == (7, 70_000, 65_536, 1)
    assert window == (WINDOW_UPDATE, 0, 0, (101).to_bytes(4, "big"))


def test_the_smallest_window_needs_no_update(new_engine):
    engine = new_engine(HTTP2Limits(connection_window=65_535), None)
    assert [frame[0] for frame in frames_of(engine.data_to_send())] == [SETTINGS]


@pytest.mark.parametrize("settings", [b"!", b"AAAA", b"AAIAAAAH", b"\xff"])
def test_settings_of_an_upgrade_that_are_none(new_engine, settings):
    with pytest.raises(ValueError, match="HTTP2-Settings"):
        new_engine(HTTP2Limits(), settings)

"""What a meter begins with."""

from channels.server.reports.meter import SAMPLE, Meter


def test_it_begins_with_nothing() -> None:
    meter = Meter()
    assert {name: getattr(meter, name) for name in Meter.__slots__} == {
        "bytes_received": 0,
        "bytes_sent": 0,
        "messages_received": 0,
        "messages_sent": 0,
        "until_sample": SAMPLE,
    }

"""What a meter begins with."""

from channels.server.reports.meter import Meter


def test_it_begins_with_nothing() -> None:
    meter = Meter()
    assert {name: getattr(meter, name) for name in Meter.__slots__ if name[0] != "_"} == {
        "bytes_received": 0,
        "bytes_sent": 0,
        "messages_received": 0,
        "messages_sent": 0,
    }


def test_a_total_never_falls_although_something_closes_while_it_is_read() -> None:
    meter = Meter()
    assert meter.total("bytes_sent", [5, 7]) == 12
    assert meter.total("bytes_sent", [5]) == 12  # the other has closed, and is not added yet
    meter.add_bytes(0, 8)
    assert meter.total("bytes_sent", [5]) == 13

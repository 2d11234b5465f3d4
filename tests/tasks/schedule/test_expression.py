"""Lines of cron, also where the clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from channels.tasks.schedule.expression import parse

BERLIN = ZoneInfo("Europe/Berlin")


def following(line: str, begin: str, count: int, zone: ZoneInfo = BERLIN) -> list[str]:
    """The next times after a local one, in local time."""
    moment, found = datetime.fromisoformat(begin).replace(tzinfo=zone), []
    for _ in range(count):
        moment = parse(line).after(moment, zone)
        found.append(moment.astimezone(zone).strftime("%m-%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("30 4 * * *", "01-02 04:30 01-03 04:30"),
        ("*/20 * * * *", "01-01 12:20 01-01 12:40"),
        ("5/25 12 * * *", "01-01 12:05 01-01 12:30"),
        ("0 9-17/4 * * mon-fri", "01-01 13:00 01-01 17:00"),
        ("0 0 1 * *", "02-01 00:00 03-01 00:00"),
        ("0 0 * * sun", "01-04 00:00 01-11 00:00"),
        ("0 0 * * 7", "01-04 00:00 01-11 00:00"),
        ("0 0 3 * mon", "01-03 00:00 01-05 00:00"),
        ("15,45 6 1,15 JAN,jul *", "01-15 06:15 01-15 06:45"),
        ("@daily", "01-02 00:00 01-03 00:00"),
        ("@hourly", "01-01 13:00 01-01 14:00"),
        ("0 0 29 2 *", "02-29 00:00 02-29 00:00"),
    ],
)
def test_what_a_line_means(line: str, expected: str) -> None:
    # 2026-01-01 is a Thursday.
    assert " ".join(each[:11] for each in following(line, "2026-01-01T12:00", 2)) == expected


def test_what_falls_into_a_lost_hour_runs_once_after_it() -> None:
    assert following("30 2 * * *", "2026-03-28T12:00", 3) == [
        "03-29 03:30+0200",
        "03-30 02:30+0200",
        "03-31 02:30+0200",
    ]


def test_of_an_hour_that_comes_twice_the_first_counts() -> None:
    assert following("30 2 * * *", "2026-10-24T12:00", 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_what_runs_every_hour_goes_by_elapsed_time() -> None:
    assert following("*/30 * * * *", "2026-10-25T01:45", 5) == [
        "10-25 02:00+0200",
        "10-25 02:30+0200",
        "10-25 02:00+0100",
        "10-25 02:30+0100",
        "10-25 03:00+0100",
    ]
    assert following("*/30 * * * *", "2026-03-29T01:15", 3) == [
        "03-29 01:30+0100",
        "03-29 03:00+0200",
        "03-29 03:30+0200",
    ]


def test_a_zone_may_leave_out_midnight() -> None:
    assert following("0 0 * * *", "2026-09-05T12:00", 1, ZoneInfo("America/Santiago")) == ["09-06 01:00-0300"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("x * * * *", "minute"),
        ("1/ * * * *", "minute"),
        ("-1 * * * *", "minute"),
    ],
)
def test_a_wrong_line_names_the_field(line: str, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        parse(line)


def test_a_day_that_never_comes_is_told() -> None:
    with pytest.raises(ValueError, match="never true"):
        parse("0 0 30 2 *").after(datetime(2026, 1, 1, tzinfo=UTC), BERLIN)

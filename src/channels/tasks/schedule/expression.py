"""The five fields of cron, and when they say that it is time, in a zone with its changes of the clock.

What has fixed hours runs once a day: what falls into an hour that the clock leaves out runs as long after
that change as it would have after its beginning, and of an hour that comes twice the first counts. What runs
in every hour goes by elapsed time, through both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_SHORT: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: What it is called, the least and the largest value, and words for the values.
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
#: Days within which a line has to come true: the 29th of February does within eight years.
_DAYS_AHEAD: Final = 366 * 9
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """When a line of cron is true.

    Attributes:
        minutes, hours, days, months, weekdays: what each field allows; Sunday is 0.
        any_hour: whether it is true in every hour of its days.
        any_day, any_weekday: whether the field was a star; of two that are not, one has to be true.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_hour: bool
    any_day: bool
    any_weekday: bool

    def after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first time after ``moment`` at which it is true, in UTC.

        Args:
            moment: aware.
            zone: in which the fields are meant.

        Raises:
            ValueError: it never is.
        """
        for day in self._days_from(moment.astimezone(zone).date() - timedelta(days=1)):
            for found in self._elapsed(day, zone, moment) if self.any_hour else self._fixed(day, zone):
                if found > moment:
                    return found
        raise ValueError("It is never true: there is no such day.")

    def _days_from(self, day: date) -> Iterator[date]:
        for _ in range(_DAYS_AHEAD):
            if self._allows(day):
                yield day
            day += timedelta(days=1)

    def _allows(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day and by_weekday if self.any_day or self.any_weekday else by_day or by_weekday

    def _fixed(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """Each time of a day, once; sorted, as a change of the clock may put two in another order."""
        times = (time(hour, minute, tzinfo=zone) for hour in self.hours for minute in self.minutes)
        yield from sorted(datetime.combine(day, each).astimezone(UTC) for each in times)

    def _elapsed(self, day: date, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
        """Each minute of a day that is one of its minutes, from ``moment`` on, as long as that day is."""
        begin = datetime.combine(day, time(tzinfo=zone)).astimezone(UTC)
        found = max(begin, moment.astimezone(UTC).replace(second=0, microsecond=0))
        while (local := found.astimezone(zone)).date() <= day:
            if local.date() == day and local.minute in self.minutes:
                yield found
            found += _MINUTE


def parse(line: str) -> CronExpression:
    """Return what a line of cron says.

    Args:
        line: five fields, of ``*``, numbers, names, ranges, steps and lists of them; or one of ``@hourly``,
            ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``.

    Raises:
        ValueError: it is no such line; the error names the field.
    """
    fields = _SHORT.get(line.strip().lower(), line).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{line!r} has {len(fields)} fields. Write five: minute, hour, day of the month, month, "
            "day of the week."
        )
    minutes, hours, days, months, weekdays = map(_values, fields, range(len(fields)))
    return CronExpression(
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        any_hour=len(hours) == 24,
        any_day=fields[2] == "*",
        any_weekday=fields[4] == "*",
    )


def _values(field: str, place: int) -> frozenset[int]:
    return frozenset(value for part in field.split(",") for value in _part(part, place))


def _part(part: str, place: int) -> range:
    """Return the values of one part of a list: a star, a value or a range, maybe with a step."""
    name, least, largest, _ = _FIELDS[place]
    span, slash, step = part.partition("/")
    if span == "*":
        first, last = least, largest if place != 4 else 6
    else:
        start, dash, end = span.partition("-")
        first = _value(start, place, part)
        last = _value(end, place, part) if dash else (largest if slash else first)
    every = int(step) if step.isdecimal() else 0 if slash else 1
    if every < 1 or not least <= first <= last <= largest:
        raise ValueError(f"{part!r} is no {name}: it goes from {least} to {largest}, a step from 1.")
    return range(first, last + 1, every)


def _value(text: str, place: int, part: str) -> int:
    name, _, _, words = _FIELDS[place]
    if text.lower() in words:
        return words[text.lower()]
    if not text.isdecimal():
        raise ValueError(f"{part!r} is no {name}.")
    return int(text)

"""How many tasks with a key run at once, or start in a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE: Final = re.compile(r"([1-9]\d*)/([1-9]\d*)?([smhd])")
#: Starts of a period that are counted one by one, and seconds of the longest period.
MOST_STARTS: Final = 1000
LONGEST_PERIOD: Final = 7 * 86400
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """What tasks with a key share: places to run at once, or starts in a time. The others wait for the key.

    Tasks of several functions share a key if they name the same one.

    Attributes:
        key: a text, with places for the arguments, as ``"account-{0}"``; a function that returns the key for
            them; "": the path of the task.
        concurrency: how many run at once at most; None: any number.
        rate: how many start in a time at most, as ``"10/m"``: s, m, h or d, with a number before for several,
            as ``"5/10s"``. At most 1,000 in at most 7 days. None: any number.
    """

    key: str | Callable[..., str] = ""
    concurrency: int | None = None
    rate: str | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """A limit as rows of tasks have it.

    Attributes:
        most: tasks at once; None: any number.
        count: starts in a period; None: any number.
        period: in microseconds.
    """

    most: int | None
    count: int | None
    period: int

    @classmethod
    def of(cls, limit: Limit) -> Allowance:
        """Return what a limit says, of which :func:`mistakes_in` has found none."""
        count, period = _parse(limit.rate) if limit.rate is not None else (None, 0)
        return cls(limit.concurrency, count, period * _MICROSECONDS)

    @classmethod
    def read(cls, text: str) -> Allowance:
        """Return what a row says."""
        most, count, period = text.split(" ")
        return cls(int(most) if most else None, int(count) if count else None, int(period or 0))

    def as_text(self) -> str:
        """Return it as rows have it."""
        return f"{self.most or ''} {self.count or ''} {self.period or ''}"

    def __str__(self) -> str:
        """Say it in words."""
        parts = [f"{self.most} at once"] if self.most is not None else []
        if self.count is not None:
            parts.append(f"{self.count} in {self.period / _MICROSECONDS:g} s")
        return ", ".join(parts)


def mistakes_in(limit: Any) -> Iterator[str]:
    """Say what is wrong with a limit."""
    if not isinstance(limit, Limit):
        yield f"limit is {limit!r}; it is a channels.tasks.Limit."
        return
    if not (isinstance(limit.key, str) or callable(limit.key)):
        yield f"the key of limit is {limit.key!r}; it is a text with places, or a function."
    most = limit.concurrency
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        yield f"the concurrency of limit is {most!r}; it is a whole number above zero."
    if limit.rate is not None and not _is_rate(limit.rate):
        yield (
            f"the rate of limit is {limit.rate!r}; it is a text like '10/m' or '5/10s', of at most "
            f"{MOST_STARTS:,} in at most {LONGEST_PERIOD // 86400} days."
        )
    if most is None and limit.rate is None:
        yield "limit has neither concurrency nor rate."


def _is_rate(rate: Any) -> bool:
    if not isinstance(rate, str) or _RATE.fullmatch(rate) is None:
        return False
    count, period = _parse(rate)
    return count <= MOST_STARTS and period <= LONGEST_PERIOD


def _parse(rate: str) -> tuple[int, int]:
    """Return how many starts there are in how many seconds."""
    found = _RATE.fullmatch(rate)
    assert found is not None, rate
    count, times, unit = found.groups()
    return int(count), int(times or 1) * _UNITS[unit]

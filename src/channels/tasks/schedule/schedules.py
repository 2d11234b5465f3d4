"""Schedules: which tasks run when. They are made where tasks are, and kept by every worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings

from channels.tasks.definition.contract import InvalidTask, Task
from channels.tasks.schedule.expression import CronExpression, parse

Missed: TypeAlias = Literal["once", "all", "skip"]

#: Seconds by which a tick may be late and is none that was missed.
GRACE: Final = 60.0
#: So many missed ticks run at most.
MOST_MISSED: Final = 1000


class Timing(Protocol):
    """When ticks are."""

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after ``moment``, in UTC."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A tick at each multiple of an interval since 1970, so that all workers mean the same."""

    seconds: float

    def after(self, moment: datetime) -> datetime:
        """See :class:`Timing`."""
        ticks = moment.timestamp() // self.seconds + 1
        return datetime.fromtimestamp(ticks * self.seconds, UTC)


@dataclass(frozen=True, slots=True)
class CronTiming:
    """A tick whenever a line of cron is true in a zone; None: that of Django's setting ``TIME_ZONE``."""

    expression: CronExpression
    zone: str | None

    def after(self, moment: datetime) -> datetime:
        """See :class:`Timing`."""
        return self.expression.after(moment, ZoneInfo(self.zone or settings.TIME_ZONE or "UTC"))


@dataclass(frozen=True)
class Schedule:
    """One task with its ticks.

    Attributes:
        name: the same in all processes; by it they agree who has enqueued for a tick.
        task: what is enqueued, with ``kwargs``.
        timing: when.
        missed: what becomes of ticks at which no worker was there.
    """

    name: str
    task: Task
    timing: Timing
    missed: Missed
    kwargs: dict[str, Any] = field(default_factory=dict)

    def due(self, last: datetime, now: datetime) -> tuple[datetime, int]:
        """Return the newest tick up to now, and how many tasks to enqueue for all since ``last``.

        It is ``last`` itself, and none, if there was no other.
        """
        newest, count = last, 0
        tick = self.timing.after(last)
        while tick <= now and count < MOST_MISSED:
            newest, count = tick, count + 1
            tick = self.timing.after(tick)
        if tick <= now:
            newest = now  # of very many the rest is passed over
        late = (now - newest).total_seconds() > GRACE
        tasks = {"once": min(count, 1), "all": count, "skip": min(count, 0 if late else 1)}
        return newest, tasks[self.missed]


#: By name.
registered: Final[dict[str, Schedule]] = {}


_T = TypeVar("_T", bound="Task[..., Any]")


def every(
    interval: float | timedelta | None = None,
    *,
    missed: Missed = "once",
    kwargs: dict[str, Any] | None = None,
    **parts: float,
) -> Callable[[_T], _T]:
    """Run a task again and again: ``@every(minutes=5)``, above ``@task``.

    Args:
        interval: seconds or a timedelta, of at least a second; None: the parts say it.
        missed: what becomes of ticks at which no worker was there: one task for all of them ("once"), one
            for each, up to 1,000 ("all"), or none ("skip").
        kwargs: for its function.
        parts: of a timedelta, as ``minutes=5``.

    Raises:
        InvalidTask: the interval is shorter.
    """
    whole = interval if isinstance(interval, timedelta) else timedelta(seconds=interval or 0, **parts)
    if whole < timedelta(seconds=1):
        raise InvalidTask(f"A task every {whole.total_seconds()} s: the interval is at least one second.")
    return lambda task: _register(task, Interval(whole.total_seconds()), missed, kwargs)


def cron(
    line: str, *, timezone: str | None = None, missed: Missed = "once", kwargs: dict[str, Any] | None = None
) -> Callable[[_T], _T]:
    """Run a task by a line of cron: ``@cron("30 4 * * mon-fri")``, above ``@task``.

    Args:
        line: five fields, or ``@daily`` and its like.
        timezone: the name of the zone in which it is meant; None: Django's ``TIME_ZONE``.
        missed: see :func:`every`.
        kwargs: for its function.

    Raises:
        InvalidTask: it is no line of cron, or never true, or there is no such zone.
    """
    try:
        expression = parse(line)
        expression.after(datetime.now(UTC), ZoneInfo(timezone or "UTC"))
    except (ValueError, OSError, KeyError) as error:
        raise InvalidTask(f"@cron({line!r}): {error}") from error
    return lambda task: _register(task, CronTiming(expression, timezone), missed, kwargs)


def _register(task: _T, timing: Timing, missed: Missed, kwargs: dict[str, Any] | None) -> _T:
    if not isinstance(task, Task):
        raise InvalidTask(f"{task!r} is no task: write the schedule above @task.")
    if missed not in ("once", "all", "skip"):
        raise InvalidTask(f'missed is {missed!r}; it is "once", "all" or "skip".')
    taken = sum(each.task.module_path == task.module_path for each in registered.values())
    name = f"{task.module_path}#{taken}" if taken else task.module_path
    registered[name] = Schedule(name, task, timing, missed, kwargs or {})
    return task

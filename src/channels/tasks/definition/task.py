"""A task with a policy: how often it is tried, and what else its backend keeps to."""

from __future__ import annotations

import hashlib
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    Literal,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from channels.tasks.definition import contract
from channels.tasks.definition.contract import InvalidTask, TaskResult, task_backends
from channels.tasks.definition.limits import Allowance, Limit, mistakes_in

#: What a task of Django's has unless it says otherwise; those of Django 6.0 have no defaults themselves.
DEFAULTS: Final[dict[str, Any]] = {
    "priority": 0,
    "backend": "default",
    "queue_name": "default",
    "run_after": None,
    "takes_context": False,
}
#: What ``using()`` takes, where None means: as it is.
_KEPT: Final = frozenset({"priority", "queue_name", "backend"})
#: Characters of a key; of a longer one its digest is kept.
_LONGEST_KEY: Final = 200
#: Seconds that a task waits between two attempts at most, unless it says otherwise.
MAX_BACKOFF: Final = 3600.0


_P = ParamSpec("_P")
_R = TypeVar("_R")

if TYPE_CHECKING:
    _Base = contract.Task
else:

    class _Base:
        """Django's class, also where that has no parameters for type checkers."""

        def __class_getitem__(cls, parameters):
            return contract.Task


class Changes(TypedDict, total=False):
    """What may be chosen of a task: Django's options, and the policy; see :class:`Task`."""

    priority: int | None
    queue_name: str | None
    backend: str | None
    run_after: datetime | timedelta | None
    max_attempts: int
    retry_on: tuple[type[BaseException], ...]
    backoff: float
    max_backoff: float
    timeout: float | None
    unique: bool | str | Callable[..., str]
    limit: Limit | None
    viewer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(_Base[_P, _R]):
    """A task of Django's with a policy.

    Attributes:
        max_attempts: how often it is started at most if it raises; 1, as in Django: it fails at the first.
        retry_on: the exceptions after which it is tried again.
        backoff: seconds before the second attempt, doubled for each one after it; a random part of up to a
            half comes off, so that tasks that failed together do not come back together.
        max_backoff: the longest such wait, in seconds.
        timeout: seconds that an attempt may take; None for no limit. An async task is cancelled then; a
            sync one cannot be, but has failed, and its thread is not counted until it ends.
        unique: while a task with the same key waits or runs, ``enqueue`` returns that one's result. True:
            its arguments are the key; a text with their places, as ``"report-{0}-{year}"``; or a function
            that returns the key for them.
        limit: how many tasks with a key run at once, or start in a time: see
            :class:`~channels.tasks.Limit`. The others wait, and hold up nothing but each other.
        viewer: the user who may see how far it is, or the primary key: ``task.using(viewer=request.user)``.
    """

    max_attempts: int = 1
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    backoff: float = 1.0
    max_backoff: float = MAX_BACKOFF
    timeout: float | None = None
    unique: bool | str | Callable[..., str] = False
    limit: Limit | None = None
    viewer: Any = None

    def using(self, **changes: Unpack[Changes]) -> Task[_P, _R]:
        """Return this task with other defaults.

        Args:
            changes: Django's (``priority``, ``queue_name``, ``backend``; None leaves them as they are), and
                any of the policy. ``run_after=None`` is at once, where Django's would leave a time there.
        """
        ours = {name: value for name, value in changes.items() if value is not None or name not in _KEPT}
        return replace(self, **cast(Any, ours))

    def step(self, *args: _P.args, **kwargs: _P.kwargs) -> Step:
        """Return a call of this task, for :func:`~channels.tasks.chain` and :func:`~channels.tasks.group`."""
        return Step(self, args, kwargs)

    def enqueue_many(self, calls: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> list[TaskResult[_P, _R]]:
        """Enqueue this task once for each ``(args, kwargs)``, all at once; none of them if one is refused."""
        backend: Any = self.get_backend()
        results = backend.enqueue_many([(self, args, kwargs) for args, kwargs in calls])
        return cast("list[TaskResult[_P, _R]]", results)

    def delay_after(self, attempt: int) -> float:
        """Return how many seconds to wait after the attempt with this number, from 1."""
        longest = min(self.backoff * 2 ** min(attempt - 1, 60), self.max_backoff)
        return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class Step:
    """A call of a task that is not enqueued yet."""

    task: Task[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@overload
def task(
    function: Callable[Concatenate[Any, _P], _R], *, takes_context: Literal[True], **options: Unpack[Changes]
) -> Task[_P, _R]: ...
@overload
def task(
    function: Callable[_P, _R], *, takes_context: Literal[False] = False, **options: Unpack[Changes]
) -> Task[_P, _R]: ...
@overload
def task(
    *, takes_context: Literal[True], **options: Unpack[Changes]
) -> Callable[[Callable[Concatenate[Any, _P], _R]], Task[_P, _R]]: ...
@overload
def task(
    *, takes_context: Literal[False] = False, **options: Unpack[Changes]
) -> Callable[[Callable[_P, _R]], Task[_P, _R]]: ...
def task(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function a task: ``django.tasks.task``, with the policy of :class:`Task` on every Django.

    Args:
        function: a function at the top of a module; None when the decorator is called with options.
        options: ``priority``, ``queue_name``, ``backend``, ``takes_context``, and the policy.

    Returns:
        The task, or a decorator.
    """
    if function is None:
        return lambda given: task(given, **options)
    chosen = {**DEFAULTS, **options}
    backend: Any = task_backends[chosen["backend"]]
    return backend.task_class(func=function, **chosen)


def unique_key(
    task: contract.Task, args: Sequence[Any], kwargs: dict[str, Any], arguments: str
) -> str | None:
    """Return what no other task of its path may have while it waits or runs; None: any may run beside it.

    Args:
        task: of which policy.
        args: of the call.
        kwargs: as well.
        arguments: both as JSON.
    """
    unique = task.unique if isinstance(task, Task) else False
    if not unique:
        return None
    key = arguments if unique is True else _made_key(unique, args, kwargs)
    return _kept_key(f"{task.backend} {task.module_path} {key}")


def limit_of(task: contract.Task, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[str, str]:
    """Return the key of a task's limit, and the limit, as rows have them; two empty texts if it has none."""
    limit = task.limit if isinstance(task, Task) else None
    if limit is None:
        return "", ""
    key = _made_key(limit.key, args, kwargs) or task.module_path
    return _kept_key(key), Allowance.of(limit).as_text()


def _made_key(pattern: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    return pattern.format(*args, **kwargs) if isinstance(pattern, str) else str(pattern(*args, **kwargs))


def _kept_key(key: str) -> str:
    if len(key) <= _LONGEST_KEY and key.isascii():
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def viewer_id(task: contract.Task) -> str:
    """Return the id of the user who may see how far a task is; "" for nobody."""
    viewer = task.viewer if isinstance(task, Task) else None
    if viewer is None or getattr(viewer, "is_anonymous", False):
        return ""
    return str(getattr(viewer, "pk", viewer))


def is_async(task: contract.Task) -> bool:
    """Whether the function of a task is async."""
    return inspect.iscoroutinefunction(task.func)


def check_policy(task: contract.Task) -> None:
    """See that the policy of a task can be kept to.

    Raises:
        InvalidTask: it cannot.
    """
    if isinstance(task, Task):
        for mistake in _mistakes(task):
            raise InvalidTask(f"Task {task.name}: {mistake}")


def _mistakes(task: Task) -> Iterator[str]:
    if isinstance(task.max_attempts, bool) or not isinstance(task.max_attempts, int) or task.max_attempts < 1:
        yield f"max_attempts is {task.max_attempts!r}; it is a whole number above zero."
    if not all(isinstance(each, type) and issubclass(each, BaseException) for each in task.retry_on):
        yield f"retry_on is {task.retry_on!r}; it is a tuple of exceptions."
    if not (isinstance(task.unique, bool | str) or callable(task.unique)):
        yield f"unique is {task.unique!r}; it is True, a text with places, or a function."
    if task.limit is not None:
        yield from mistakes_in(task.limit)
    for name in ("backoff", "max_backoff", "timeout"):
        value = getattr(task, name)
        if value is None and name == "timeout":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            yield f"{name} is {value!r}; it is a number of seconds."

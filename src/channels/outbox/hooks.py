"""Hooks: functions of a project that are called after a commit, at least once."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, ParamSpec, TypeVar, overload

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.utils.asyncio import async_unsafe
from django.utils.functional import Promise
from django.utils.module_loading import import_string

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: What to write instead of values that JSON has not, by what they have.
_REMEDIES: Final = (
    ("_meta", "Pass its primary key, and fetch it in the hook"),
    ("isoformat", "Pass its isoformat()"),
    ("bytes_le", "Pass str() of it"),  # a UUID
    ("as_tuple", "Pass str() of it"),  # a Decimal
)
MAX_PATH: Final = 255
#: The longest wait between two attempts, in seconds: a day.
MAX_BACKOFF: Final = 86400.0


@dataclass(frozen=True, slots=True)
class HookOptions:
    """How a hook is called.

    Attributes:
        attempts: how often it is tried before it is a dead letter.
        backoff: seconds before the second attempt, at most; doubled for each one more.
        max_backoff: the longest such wait, in seconds.
        atomic: whether it runs in one transaction with the end of its row: what it changes in this database
            is then changed exactly once.
    """

    attempts: int
    backoff: float
    max_backoff: float
    atomic: bool

    def __post_init__(self) -> None:
        if not isinstance(self.attempts, int) or self.attempts < 1:
            raise ImproperlyConfigured(f"attempts is at least 1, got {self.attempts!r}.")
        if not 0 <= self.backoff <= self.max_backoff <= MAX_BACKOFF:
            raise ImproperlyConfigured(
                f"backoff and max_backoff are seconds, 0 <= backoff <= max_backoff <= {MAX_BACKOFF:.0f}, got "
                f"{self.backoff!r} and {self.max_backoff!r}."
            )


class Hook(Generic[_P, _R]):
    """A function that can be called after a commit. Called directly it is the function itself.

    Args:
        function: of a module, sync or async.
        options: how it is called.
        database: the alias that its calls are written to; None: as the routers of the project say.

    Attributes:
        path: by which any process finds it, "package.module.name".
    """

    def __init__(self, function: Callable[_P, _R], options: HookOptions, database: str | None) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options, self.database = function, options, database
        self.path = _path_of(function)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call the function, here and now."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        """Name the function."""
        return f"<Hook {self.path}>"

    def using(self, database: str) -> Hook[_P, _R]:
        """Return the hook for the transaction of another database."""
        return Hook(self.function, self.options, database)

    @async_unsafe("In async code: await hook.aon_commit(...).")
    def on_commit(self, *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Have the function called after the commit of the transaction that is open; soon, if none is.

        Args:
            args: JSON: texts, numbers, True, False, None, lists and dicts of these.
            kwargs: the same.

        Raises:
            TypeError: an argument is no JSON; the error names the path to it.
            MessageTooLarge: the arguments are over ``CHANNELS_OUTBOX["MAX_SIZE"]``.
            ImproperlyConfigured: the outbox of this database is relayed by nobody.
            DatabaseError: it cannot be written.
        """
        from channels.outbox.models import HookCall
        from channels.outbox.writing import insert, require_size

        arguments = encode_arguments(args, kwargs)
        require_size(arguments, f"What {self.path} is called with")
        insert(HookCall(hook=self.path, arguments=arguments), self.database)

    async def aon_commit(self, *args: _P.args, **kwargs: _P.kwargs) -> None:
        """As :meth:`on_commit`, in a transaction of its own: async code has none open."""
        from channels.db import database_sync_to_async

        await database_sync_to_async(self.on_commit)(*args, **kwargs)

    def run(self, arguments: str) -> None:
        """Call the function with the arguments of a row; raises what it raises."""
        values = json.loads(arguments)
        call: Any = async_to_sync(self.function) if iscoroutinefunction(self.function) else self.function
        call(*values["args"], **values["kwargs"])


@overload
def on_commit_durably(function: Callable[_P, _R], /) -> Hook[_P, _R]: ...


@overload
def on_commit_durably(
    *,
    attempts: int = ...,
    backoff: float = ...,
    max_backoff: float = ...,
    atomic: bool = ...,
    using: str | None = ...,
) -> Callable[[Callable[_P, _R]], Hook[_P, _R]]: ...


def on_commit_durably(
    function: Callable[..., Any] | None = None,
    /,
    *,
    attempts: int = 10,
    backoff: float = 1.0,
    max_backoff: float = 3600.0,
    atomic: bool = False,
    using: str | None = None,
) -> Any:
    """Mark a function that can be called after a commit, at least once, whatever happens to this process.

    ::

        @on_commit_durably
        def send_receipt(order_id): ...

        with transaction.atomic():
            order.save()
            send_receipt.on_commit(order.pk)

    Args:
        function: a function of a module, sync or async.
        attempts: how often it is tried before it is a dead letter.
        backoff: seconds before the second attempt, at most; doubled for each one more.
        max_backoff: the longest such wait, in seconds.
        atomic: run it in one transaction with the end of its row: what it changes in this database is changed
            exactly once. Not for functions that call other services.
        using: the alias that its calls are written to; None: as the routers of the project say.

    Returns:
        A :class:`Hook`; called directly it is the function itself.

    Raises:
        ImproperlyConfigured: an option is out of range, or no other process could find the function.
    """
    made = HookOptions(attempts, backoff, max_backoff, atomic)
    if function is not None:
        return Hook(function, made, using)
    return lambda function: Hook(function, made, using)


def _path_of(function: Any) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    path = f"{module}.{name}"
    if module in (None, "__main__") or "<" in name or not name:
        raise ImproperlyConfigured(
            f"{path} cannot be found by other processes. Put the function into a module, outside of others."
        )
    if len(path) > MAX_PATH:
        raise ImproperlyConfigured(f"{path} has over {MAX_PATH} characters: give it a shorter name.")
    return path


class UnknownHook(Exception):
    """There is no hook at a path, in this process at least."""


def find_hook(path: str) -> Hook[..., Any]:
    """Return the hook of a row.

    Raises:
        UnknownHook: the release that this process runs has none; says what is there.
    """
    try:
        found = _import(path)
    except Exception as error:
        raise UnknownHook(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(found, Hook):
        raise UnknownHook(f"{path} is there, but is not marked with @on_commit_durably.")
    return found


def _import(path: str) -> Any:
    """Import a function, or a static method of a class."""
    try:
        return import_string(path)
    except ImportError:
        parent, _, name = path.rpartition(".")
        if "." not in parent:
            raise
        return getattr(import_string(parent), name)


def encode_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return arguments as JSON; raises TypeError for a value that JSON has not, with the path to it."""
    values = {
        "args": [_json(value, f"args[{index}]") for index, value in enumerate(args)],
        "kwargs": {name: _json(value, name) for name, value in kwargs.items()},
    }
    return json.dumps(values, separators=(",", ":"))


def _json(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Promise):
        return str(value)
    try:
        return _json_container(value, path)
    except RecursionError:
        raise TypeError(f"{path} contains itself, or is nested too deeply for JSON.") from None


def _json_container(value: Any, path: str) -> Any:
    if isinstance(value, list | tuple):
        return [_json(each, f"{path}[{index}]") for index, each in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{path} has the key {key!r:.80}: keys of JSON are texts.")
        return {key: _json(each, f"{path}[{key!r}]") for key, each in value.items()}
    remedy = next((text for name, text in _REMEDIES if hasattr(value, name)), "Pass what JSON has")
    if isinstance(value, float):
        raise TypeError(f"{path} is {value!r}, which JSON has not. {remedy}.")
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise TypeError(f"{path} is of the type {kind}, which JSON has not. {remedy}.")

"""Calls that clients may make: functions, and methods of topics, with typed parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar, get_type_hints

import msgspec
from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured

from channels.core.bounded_cache import BoundedCache
from channels.db import database_sync_to_async
from channels.exceptions import ChannelsError
from channels.topics.payloads import decode

_F = TypeVar("_F", bound=Callable[..., Any])

#: Codes that an application may give to its errors.
APPLICATION_CODES: Final = range(400, 2000)

_functions: Final[dict[str, Callable[..., Any]]] = {}
_marked: Final[set[Callable[..., Any]]] = set()


class RPCError(ChannelsError):
    """Raise it in a handler to answer a call with an error of the application's own.

    Args:
        code: 400 to 1999.
        message: for the client.
        temporary: the client may try again.

    Raises:
        ValueError: the code is none of an application's.
    """

    def __init__(self, code: int, message: str, temporary: bool = False) -> None:
        if code not in APPLICATION_CODES:
            raise ValueError(f"An application's error codes are 400 to 1999, not {code!r}.")
        super().__init__(message)
        self.code, self.message, self.temporary = code, message, temporary


def rpc(function: _F) -> _F:
    """Let clients call ``function``, sync or async; what it returns is the answer.

    A method of a Topic is called by ``topic's name/method`` (``client.rpc("room:lobby/rename", {...})``) from
    whoever may subscribe to the topic; a function by its own name, from everybody who is connected. The
    first parameter (after ``self``) is the user; the others come by name from the call's data and are
    converted to their annotated types.
    """
    owner = function.__qualname__.rpartition(".")[0]
    if owner and not owner.endswith("<locals>"):
        _marked.add(function)
    else:
        known = _functions.get(function.__name__)
        if known is not None and known.__module__ != function.__module__:
            raise ImproperlyConfigured(
                f"Two modules have an rpc function {function.__name__!r}: "
                f"{known.__module__} and {function.__module__}."
            )
        _functions[function.__name__] = function
    return function


def find_function(name: str) -> Callable[..., Any] | None:
    """Return the function that clients call by ``name``; None if there is none."""
    return _functions.get(name)


def find_method(topic: Any, name: str) -> Callable[..., Any] | None:
    """Return the method of a topic that clients call by ``name``; None if there is none."""
    method = getattr(type(topic), name, None)
    return getattr(topic, name) if method in _marked else None


def any_offered() -> bool:
    """Whether clients may call anything at all."""
    return bool(_functions or _marked)


async def call(function: Callable[..., Any], user: Any, data: bytes) -> Any:
    """Call a handler with what a client sent.

    Args:
        function: see :func:`find_function` and :func:`find_method`.
        user: who calls.
        data: JSON, an object of parameters by name; nothing for none.

    Raises:
        InvalidData: the data do not fit the parameters; the error names the one.
    """
    parameters = decode(data or b"{}", _parameters[getattr(function, "__func__", function)])
    arguments = msgspec.structs.asdict(parameters)
    if iscoroutinefunction(function):
        return await function(user, **arguments)
    return await database_sync_to_async(function)(user, **arguments)


def _parameters_of(function: Callable[..., Any]) -> type[msgspec.Struct]:
    """Return a type of what a handler takes beside ``self`` and the user."""
    skipped = 2 if function in _marked else 1
    types = get_type_hints(function, include_extras=True)
    fields: list[Any] = []
    for parameter in list(inspect.signature(function).parameters.values())[skipped:]:
        kind = types.get(parameter.name, Any)
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, kind, *default))
    return msgspec.defstruct(function.__name__, fields, forbid_unknown_fields=True, kw_only=True)


_parameters: BoundedCache[Callable[..., Any], type[msgspec.Struct]] = BoundedCache(
    "topics.rpc_parameters", 1024, _parameters_of
)

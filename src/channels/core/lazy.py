"""Objects in a scope that are made when somebody touches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.functional import LazyObject, empty


class LazyRef(LazyObject):  # type: ignore[type-arg]  # generic for mypy only
    """A LazyObject that costs little, and is empty until ``_wrapped`` is assigned.

    Unlike Django's it keeps no ``__dict__``.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        _set_held(self, empty)

    @property
    def _wrapped(self) -> Any:
        return _held(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_wrapped":
            _set_held(self, value)
        else:
            super().__setattr__(name, value)


class LazyCall(LazyRef):
    """Is made by a call when somebody touches it; looking at ``_wrapped`` makes it too, as code is used to.

    Args:
        make: what is called.
        argument: its only argument.
    """

    __slots__ = ("argument", "make")

    def __init__(self, make: Callable[[Any], Any], argument: Any) -> None:
        super().__init__()
        _set_make(self, make)
        _set_argument(self, argument)

    @property
    def _wrapped(self) -> Any:
        held = _held(self)
        if held is empty:
            held = _make(self)(_argument(self))
            _set_held(self, held)
        return held


# The slots without their names: those belong to whoever subclasses, and LazyObject's own way to an attribute
# would look at the wrapped object first.
_held, _set_held = LazyRef.held.__get__, LazyRef.held.__set__  # type: ignore[attr-defined]
_make, _set_make = LazyCall.make.__get__, LazyCall.make.__set__  # type: ignore[attr-defined]
_argument, _set_argument = LazyCall.argument.__get__, LazyCall.argument.__set__  # type: ignore[attr-defined]
del LazyRef.held, LazyCall.make, LazyCall.argument  # type: ignore[attr-defined]


def get_if_loaded(candidate: Any) -> Any:
    """Return what a lazy object holds, without making it: ``empty`` if it was not made yet.

    Anything else is returned as it is.
    """
    kind = type(candidate)  # a lazy object says that it is of the class of what it holds
    if issubclass(kind, LazyRef):
        return _held(candidate)
    return candidate.__dict__.get("_wrapped", empty) if issubclass(kind, LazyObject) else candidate


def call_of(lazy: LazyCall) -> tuple[Any, Any]:
    """Return what ``lazy`` calls when it is touched, and with what."""
    return _make(lazy), _argument(lazy)

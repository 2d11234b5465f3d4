"""What works for a layer of ours stands beside it, out of reach for the names of its subclasses.

A project's layer may have methods and attributes of any name. The layer's own methods, consumers and
workers therefore talk to the engine; what a layer offers beside the contract of 4.3
(``attach``, ``statistics`` ...) passes calls on to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from channels.core.private import PrivateField
from channels.typing import EventSource

_T = TypeVar("_T")


class Engine(Protocol):
    """What consumers use of a backend that pushes; workers use its ``take``, if it has one.

    Attributes:
        receive_function: the ``receive`` of the layer's class; a layer that has another wants to be asked.
    """

    receive_function: Callable[..., Any]

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """See :class:`~channels.layers.base.PushingLayer`."""
        ...

    def detach(self, channel: str) -> None:
        """See :class:`~channels.layers.base.PushingLayer`."""


class computed(Generic[_T]):
    """A property that an instance may replace by an attribute of its own, which one of Python's refuses.

    Args:
        function: returns the value, each time it is asked for.
    """

    def __init__(self, function: Callable[[Any], _T]) -> None:
        self.fget = function
        functools.update_wrapper(self, function)  # type: ignore[arg-type]  # for its name and text

    @overload
    def __get__(self, instance: None, owner: type) -> computed[_T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...

    def __get__(self, instance: object | None, owner: type) -> computed[_T] | _T:
        """Return the value, or of the class itself this descriptor."""
        return self if instance is None else self.fget(instance)


_engine: PrivateField[Any] = PrivateField("engine", None)


def set_engine(layer: object, engine: Engine) -> None:
    """Have ``engine`` work for ``layer``."""
    _engine.set(layer, engine)


#: Returns what works for a layer; None if that is a layer of somebody else.
engine_of: Final = _engine.get
#: Returns the same as a function that is quicker, for the layers of one class.
engine_reader: Final = _engine.reader


def pushing_engine(layer: Any) -> Any:
    """Return what pushes messages of ``layer``, or None if its ``receive`` has to be asked.

    Backends of others push themselves if they name their own ``receive`` as ``pushing_receive``. A
    subclass or a test that replaces ``receive`` wants to be asked.
    """
    engine = engine_of(layer)
    if engine is None:
        engine, own = layer, getattr(type(layer), "pushing_receive", None)
    else:
        own = engine.receive_function
    return engine if own is not None and getattr(layer.receive, "__func__", None) is own else None

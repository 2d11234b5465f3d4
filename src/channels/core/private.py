"""State of ours on objects of classes that users subclass, under no name that a subclass could use.

A subclass may give any name to a method or to an attribute of its own, underscores included. So
what we have to remember about a consumer, a router or a communicator is kept under a name that
no Python code can write after a dot.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
# Past what the class of an object makes of its attributes.
_get, _set = object.__getattribute__, object.__setattr__


class PrivateField(Generic[_T]):
    """One value per object, out of reach for whatever the object's class defines.

    It is stored with the object's own attributes, which costs no more memory than one of them,
    past any ``__setattr__`` and ``__getattr__`` of its class.

    Args:
        name: says what it is; shown in ``vars()`` of the object.
        default: the value of an object that was given none.
    """

    __slots__ = ("_default", "_key")

    def __init__(self, name: str, default: _T) -> None:
        self._key = f"channels: {name}"  # no identifier
        self._default = default

    def get(self, owner: object) -> _T:
        """Return the value of ``owner``."""
        try:
            value: _T = _get(owner, self._key)
        except AttributeError:
            return self._default
        return value

    def reader(self, kind: type) -> Callable[[Any], _T]:
        """Return a function that does as :meth:`get`, for the instances of one class, in a tenth of its time.

        The class itself gets the default under the same name: what is missing in an instance is found
        there, before a ``__getattr__`` is asked.

        Args:
            kind: the class; a value that was set is read from instances of any other one, too.
        """
        type.__setattr__(kind, self._key, self._default)
        return operator.attrgetter(self._key)

    def set(self, owner: Any, value: _T) -> None:
        """Give ``owner`` a value; it needs a ``__dict__``, and may be no class."""
        _set(owner, self._key, value)

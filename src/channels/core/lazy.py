"""Objects in a scope that are made when somebody touches them."""

from __future__ import annotations

from typing import Any

from django.utils.functional import LazyObject, empty


class LazyRef(LazyObject):  # type: ignore[type-arg]  # generic for mypy only
    """A LazyObject that costs little until it is touched.

    Unlike Django's it keeps no ``__dict__``, and looking at ``_wrapped`` makes the object too:
    code may be used to finding it ready. Assigning ``_wrapped`` puts an object into its place.
    """

    __slots__ = ("_made",)

    def __init__(self) -> None:
        _set(self, "_made", empty)

    def _make(self) -> Any:
        """Return the object; ``empty`` while it cannot be made."""
        return empty

    @property
    def _wrapped(self) -> Any:
        made = _get(self, "_made")
        if made is empty:
            made = self._make()
            _set(self, "_made", made)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_wrapped":
            _set(self, "_made", value)
        else:
            super().__setattr__(name, value)


# LazyObject's own would look at the wrapped object first.
_get, _set = object.__getattribute__, object.__setattr__


def get_if_loaded(candidate: Any) -> Any:
    """Return what a lazy object holds, without making it: ``empty`` if it was not made yet.

    Anything else is returned as it is.
    """
    kind = type(candidate)  # a lazy object says that it is of the class of what it holds
    if issubclass(kind, LazyRef):
        return _get(candidate, "_made")
    return candidate.__dict__.get("_wrapped", empty) if issubclass(kind, LazyObject) else candidate

"""Late objects: made when touched, never before, and without a dictionary of their own."""

import copy
import pickle
from typing import Any

import pytest
from django.utils.functional import LazyObject, SimpleLazyObject, empty

from channels.core.lazy import LazyRef, get_if_loaded


class Late(LazyRef):
    """Holds a list; counts how often it is made."""

    __slots__ = ("made",)

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "made", [])

    def _make(self) -> Any:
        self.made.append(True)
        return [1, 2]


class NotReady(LazyRef):
    __slots__ = ()

    def _setup(self) -> None:
        raise ValueError("too early")


def test_it_is_made_once_and_when_it_is_touched() -> None:
    late = Late()
    assert get_if_loaded(late) is empty
    assert late.made == []
    assert len(late) == 2
    assert late == [1, 2]
    assert isinstance(late, list)
    assert isinstance(late, LazyObject)
    assert get_if_loaded(late) == [1, 2]
    assert late.made == [True]


def test_looking_at_what_it_wraps_makes_it() -> None:
    late = Late()
    assert late._wrapped == [1, 2]
    assert late._wrapped is get_if_loaded(late)


def test_an_object_can_be_put_in() -> None:
    late = NotReady()
    with pytest.raises(ValueError, match="too early"):
        len(late)
    late._wrapped = "abc"  # type: ignore[misc]
    assert len(late) == 3
    assert get_if_loaded(late) == "abc"


def test_attributes_are_set_on_what_it_holds() -> None:
    class Thing:
        colour = ""

    late = NotReady()
    late._wrapped = thing = Thing()  # type: ignore[misc]
    late.colour = "red"
    assert thing.colour == "red"
    assert vars(thing) == {"colour": "red"}


def test_it_can_be_copied_and_pickled() -> None:
    assert copy.copy(Late()) == [1, 2]
    assert copy.deepcopy(Late()) == [1, 2]
    assert pickle.loads(pickle.dumps(Late())) == [1, 2]
    with pytest.raises(ValueError, match="too early"):
        len(copy.copy(NotReady()))


def test_peeking_makes_nothing() -> None:
    lazy = SimpleLazyObject(lambda: [3])
    assert get_if_loaded(lazy) is empty
    assert lazy == [3]
    assert get_if_loaded(lazy) == [3]
    assert get_if_loaded("text") == "text"

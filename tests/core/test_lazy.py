"""Late objects: made when touched, never before, and without a dictionary of their own."""

import copy
import pickle

import pytest
from django.utils.functional import LazyObject, SimpleLazyObject, empty

from channels.core.lazy import LazyCall, LazyRef, get_if_loaded


class Late(LazyCall):
    """Holds a list; counts how often it is made."""

    __slots__ = ("made",)

    def __init__(self) -> None:
        made: list[bool] = []
        object.__setattr__(self, "made", made)
        super().__init__(lambda n: made.append(True) or [1, n], 2)


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


def test_it_has_no_name_of_its_own() -> None:
    """Whoever subclasses has them all, as a slot, a method or an attribute."""
    djangos = {*dir(LazyObject), "__slots__", "__dict__", "__weakref__", "__module__", "__doc__"}
    assert set(dir(LazyCall)) <= djangos

    class Own(LazyCall):
        __slots__ = ("held",)
        make = argument = None

        def __init__(self) -> None:
            super().__init__(list, "a")
            object.__setattr__(self, "held", "mine")

    assert (len(Own()), Own().held) == (1, "mine")

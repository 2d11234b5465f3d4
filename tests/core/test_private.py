"""A value of ours on an object of the user's, which no name of the user's can reach."""

from __future__ import annotations

from typing import Any

from channels.core.private import PrivateField

number: PrivateField[int] = PrivateField("number", 7)


class Plain:
    pass


class Guarded:
    """Attributes of its own kind: it answers for every name, and takes none."""

    def __getattr__(self, name: str) -> str:
        return f"the user's {name}"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)


def test_an_object_that_was_given_none_has_the_default() -> None:
    assert number.get(Plain()) == 7


def test_each_object_has_its_own_value() -> None:
    one, other = Plain(), Plain()
    number.set(one, 1)
    number.set(other, 2)
    assert (number.get(one), number.get(other)) == (1, 2)
    assert number.get(Plain()) == 7


def test_what_a_class_does_with_names_is_passed_by() -> None:
    guarded = Guarded()
    assert number.get(guarded) == 7
    number.set(guarded, 3)
    assert number.get(guarded) == 3


def test_it_is_among_the_objects_attributes_under_no_identifier() -> None:
    plain = Plain()
    number.set(plain, 1)
    (name,) = vars(plain)
    assert "number" in name
    assert not name.isidentifier()


def test_fields_of_other_names_are_apart() -> None:
    plain, other = Plain(), PrivateField("other", "none")
    number.set(plain, 1)
    assert other.get(plain) == "none"


def test_a_reader_of_a_class_says_the_same() -> None:
    class Kind:
        def __init__(self) -> None:
            self.number = 1

    class Answering(Kind):
        def __getattr__(self, name: str) -> str:
            return f"the user's {name}"

    read = number.reader(Kind)
    for owner in (Kind(), Answering()):
        assert read(owner) == number.get(owner) == 7
        number.set(owner, 3)
        assert read(owner) == number.get(owner) == 3
    assert [name for name in vars(Kind) if name.isidentifier() and "number" in name] == []

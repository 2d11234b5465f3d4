"""What works for a layer, out of reach of its subclasses' names; how consumers find it."""

from __future__ import annotations

import pytest

from channels.layers import InMemoryChannelLayer
from channels.layers.base import BaseChannelLayer
from channels.layers.engine import computed, engine_of, pushing_engine, set_engine


class Area:
    def __init__(self, side: int) -> None:
        self.side = side

    @computed
    def size(self) -> int:
        """The area."""
        return self.side**2


def test_a_computed_attribute_follows_the_others_until_it_is_replaced():
    area = Area(2)
    assert area.size == 4
    area.side = 3
    assert area.size == 9
    vars(area)["size"] = 1
    assert area.size == 1
    assert isinstance(Area.size, computed)
    assert Area.size.__doc__ == "The area."
    assert vars(Area.size)["__name__"] == "size"


class Own(BaseChannelLayer):
    """A layer of somebody else, with names that ours could have."""

    engine = _engine = "mine"

    async def receive(self, channel):
        raise NotImplementedError


def test_a_layer_of_ours_has_an_engine_and_others_have_none():
    assert engine_of(InMemoryChannelLayer()) is not None
    assert engine_of(Own()) is None
    assert engine_of(None) is None


def test_an_engine_lies_under_no_name_of_a_subclass():
    layer = Own()
    before = set(dir(layer))
    set_engine(layer, engine := InMemoryChannelLayer())  # type: ignore[arg-type]
    assert engine_of(layer) is engine
    assert not any(name.isidentifier() for name in set(dir(layer)) - before)


def test_a_layer_that_names_its_receive_pushes_by_itself():
    class Pushing(Own):
        pushing_receive = Own.receive

    class Replaced(Pushing):
        async def receive(self, channel):
            return {}

    layer = Pushing()
    assert pushing_engine(layer) is layer
    assert pushing_engine(Replaced()) is None
    assert pushing_engine(Own()) is None


@pytest.mark.parametrize("replaced", [False, True])
def test_an_engine_pushes_unless_receive_was_replaced(monkeypatch, replaced):
    layer = InMemoryChannelLayer()
    if replaced:
        monkeypatch.setattr(layer, "receive", lambda channel: None)
    assert pushing_engine(layer) is (None if replaced else engine_of(layer))

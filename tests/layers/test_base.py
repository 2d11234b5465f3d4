from __future__ import annotations

import re

import pytest

from channels.layers.base import BaseChannelLayer


@pytest.fixture
def layer():
    return BaseChannelLayer()


def test_defaults_are_those_of_4_3(layer):
    assert (layer.expiry, layer.capacity, layer.MAX_NAME_LENGTH) == (60, 100, 100)


def test_capacities_that_are_compiled_already_stay_as_they_are():
    layer = BaseChannelLayer(channel_capacity={"http.*": 20})
    layer.channel_capacity = layer.compile_capacities(layer.channel_capacity)
    assert layer.get_capacity("http.request") == 20


def test_capacity_by_glob_and_pattern():
    layer = BaseChannelLayer(
        capacity=10, channel_capacity={"http.*": 20, re.compile(r"^websocket\.send!.+"): 30}
    )
    capacities = [layer.get_capacity(name) for name in ("http.request", "websocket.send!abc", "chat")]
    assert capacities == [20, 30, 10]


@pytest.mark.parametrize("name", ["¯\\_(ツ)_/¯", "chat" * 100, "", b"chat", None, 5])
def test_names_out_of_grammar(layer, name):
    with pytest.raises(TypeError, match="^Channel name must be a valid unicode string with length < 100"):
        layer.require_valid_channel_name(name)
    with pytest.raises(TypeError, match="^Group name must be a valid unicode string with length < 100"):
        layer.require_valid_group_name(name)


def test_names_within_grammar(layer):
    assert layer.require_valid_channel_name("chat!abc")
    assert layer.require_valid_group_name("chat-1_2.3")
    assert layer.valid_channel_names(["a", "b!"], receive=True)
    assert layer.non_local_name("a!b") == "a!"


def test_a_specific_name_cannot_be_read_whole(layer):
    assert layer.require_valid_channel_name("chat!", receive=True)
    with pytest.raises(TypeError, match="must end at the !"):
        layer.require_valid_channel_name("chat!abc", receive=True)


def test_no_names_is_the_callers_mistake(layer):
    with pytest.raises(AssertionError, match="at least one"):
        layer.valid_channel_names([])


def test_old_checks_warn(layer):
    with pytest.deprecated_call():
        assert layer.valid_channel_name("chat")
    with pytest.deprecated_call():
        assert layer.valid_channel_name("chat!abc", receive=True), "what layers asked before 4.3"
    with pytest.deprecated_call():
        assert layer.valid_group_name("chat")


def test_a_subclass_may_change_the_grammar():
    class Loose(BaseChannelLayer):
        MAX_NAME_LENGTH = 5
        group_name_regex = re.compile(r".+")

    assert Loose().require_valid_group_name("é é")
    with pytest.raises(TypeError):
        Loose().require_valid_group_name("abcdef")


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("send", ("c", {})),
        ("receive", ("c",)),
        ("new_channel", ()),
        ("flush", ()),
        ("group_add", ("g", "c")),
        ("group_discard", ("g", "c")),
        ("group_send", ("g", {})),
    ],
)
async def test_what_a_backend_must_bring(layer, method, args):
    with pytest.raises(NotImplementedError, match="BaseChannelLayer"):
        await getattr(layer, method)(*args)

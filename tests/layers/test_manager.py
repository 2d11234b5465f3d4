from __future__ import annotations

import pytest
from django.test import override_settings

from channels.exceptions import InvalidChannelLayerError
from channels.layers import ChannelLayerManager, InMemoryChannelLayer, channel_layers, get_channel_layer

MEMORY = "channels.layers.InMemoryChannelLayer"


class Broken(InMemoryChannelLayer):
    def __init__(self):
        raise KeyError("from inside the backend")


class Strict(InMemoryChannelLayer):
    def __init__(self, capacity=1):
        super().__init__(capacity=capacity)


def test_no_setting_no_layer():
    assert get_channel_layer() is None
    assert "default" not in channel_layers
    with pytest.raises(KeyError):
        channel_layers["default"]


@override_settings(CHANNEL_LAYERS={"default": {"BACKEND": MEMORY, "CONFIG": {"expiry": 5}}})
def test_layers_are_made_once_from_their_config():
    layer = get_channel_layer()
    assert layer.expiry == 5
    assert get_channel_layer("default") is layer is channel_layers["default"]
    assert "default" in channel_layers
    assert get_channel_layer("other") is None


def test_overridden_settings_take_effect_at_once():
    with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": MEMORY}}):
        first = get_channel_layer()
        with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": MEMORY, "CONFIG": {"capacity": 1}}}):
            assert get_channel_layer().capacity == 1
        assert get_channel_layer() is not first
    assert get_channel_layer() is None


@override_settings(
    CHANNEL_LAYERS={"default": {"BACKEND": MEMORY, "TEST_CONFIG": {"expiry": 100500}}, "bare": {}}
)
def test_test_config():
    assert channel_layers.make_test_backend("default").expiry == 100500
    assert channel_layers.make_backend("default").expiry == 60
    with pytest.raises(InvalidChannelLayerError, match="No TEST_CONFIG specified for bare"):
        channel_layers.make_test_backend("bare")
    with pytest.raises(InvalidChannelLayerError, match="No BACKEND specified for bare"):
        channel_layers.make_backend("bare")


@override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "nowhere.Layer"}})
def test_a_backend_that_cannot_be_imported():
    with pytest.raises(InvalidChannelLayerError, match="Cannot import BACKEND 'nowhere.Layer' specified for"):
        get_channel_layer()


@override_settings(CHANNEL_LAYERS={"default": {"BACKEND": f"{__name__}.Broken"}})
def test_an_error_inside_a_backend_comes_through_as_itself():
    with pytest.raises(KeyError, match="from inside"):
        get_channel_layer()


def test_set_returns_what_was_there():
    manager = ChannelLayerManager()
    layer = InMemoryChannelLayer()
    assert manager.set("default", layer) is None
    assert manager["default"] is layer
    assert manager.set("default", InMemoryChannelLayer()) is layer


@override_settings(
    CHANNEL_LAYERS={"default": {"BACKEND": f"{__name__}.Strict", "CONFIG": {"capacity": 1, "colour": "blue"}}}
)
def test_an_unknown_setting_is_named_with_those_there_are():
    with pytest.raises(
        InvalidChannelLayerError, match="has 'colour', which Strict does not know. It knows: capacity"
    ):
        get_channel_layer()

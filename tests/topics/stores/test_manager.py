"""Which stores a project has."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.journal.store import DatabaseStore
from channels.topics.stores.manager import get_store, set_store, store_settings, stores_in_use
from channels.topics.stores.memory import MemoryStore

HOST, REDIS = "channels.topics.stores.host.HostStore", "channels.topics.stores.redis.RedisStore"


def layer(backend: str, **config: Any) -> dict[str, Any]:
    return {"default": {"BACKEND": backend, "CONFIG": config}}


@pytest.mark.parametrize(
    ("layers", "backend", "config"),
    [
        ({}, "channels.topics.stores.memory.MemoryStore", {}),
        (
            layer("channels.layers.InMemoryChannelLayer", capacity=7),
            "channels.topics.stores.memory.MemoryStore",
            {},
        ),
        (layer("channels.layers.host.HostChannelLayer", path="/x", capacity=7), HOST, {"path": "/x"}),
        (
            layer("channels_redis.core.RedisChannelLayer", hosts=["redis://x"]),
            REDIS,
            {"hosts": ["redis://x"]},
        ),
        (layer("channels_redis.core.RedisChannelLayer", prefix="shop"), REDIS, {"prefix": "shop-topics"}),
        (layer("somebody.elses.Layer"), "channels.topics.stores.memory.MemoryStore", {}),
    ],
)
def test_topics_reach_as_far_as_the_layer(settings: Any, layers: Any, backend: str, config: Any) -> None:
    settings.CHANNEL_LAYERS = layers
    assert store_settings()["default"] == {"BACKEND": backend, "CONFIG": config}


def test_the_database_is_a_store_by_itself_where_its_app_is_installed(settings: Any) -> None:
    assert isinstance(get_store("database"), DatabaseStore)
    own = {"BACKEND": "channels.journal.DatabaseStore", "CONFIG": {"using": "other"}}
    settings.CHANNELS_TOPICS = {"STORES": {"database": own}}
    assert get_store("database").using == "other"  # type: ignore[attr-defined]  # a DatabaseStore
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "channels.journal"]
    with pytest.raises(ImproperlyConfigured, match=r"'channels.journal' is not in INSTALLED_APPS"):
        DatabaseStore()
    settings.CHANNELS_TOPICS = {}
    with pytest.raises(ImproperlyConfigured, match=r"Add 'channels.journal' to INSTALLED_APPS"):
        get_store("database")


def test_the_database_has_the_store_beside_the_layer_to_carry(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"STORES": {"default": {"BACKEND": "channels.journal.DatabaseStore"}}}
    store = get_store()
    assert isinstance(store, DatabaseStore)
    assert type(store.carrying().carrier) is MemoryStore
    assert not store.spans_processes
    other = get_store("database")
    assert isinstance(other, DatabaseStore)
    assert other.carrying().carrier is store.carrying().carrier


def test_what_is_encrypted_is_not_followed_by_what_is_not(settings: Any) -> None:
    settings.CHANNEL_LAYERS = layer(
        "channels_redis.core.RedisChannelLayer", symmetric_encryption_keys=["secret"]
    )
    with pytest.raises(ImproperlyConfigured, match="encrypts its messages") as raised:
        get_store()
    assert "secret" not in str(raised.value)


def test_a_store_is_made_once_and_anew_when_the_setting_changes(settings: Any) -> None:
    store = get_store()
    assert get_store() is store
    assert stores_in_use() == [store]
    settings.CHANNELS_TOPICS = {"STORES": {"other": {"BACKEND": "channels.topics.stores.memory.MemoryStore"}}}
    assert get_store() is not store
    assert get_store("other") is not get_store()


def test_a_store_may_be_put_into_its_place() -> None:
    own = MemoryStore()
    set_store("default", own)
    assert get_store() is own
    assert set_store("default", None) is own


@pytest.mark.parametrize("backend", [None, "nowhere.Store", "channels.topics.stores.base.Position"])
def test_a_setting_that_makes_no_store_says_so(settings: Any, backend: Any) -> None:
    settings.CHANNELS_TOPICS = {"STORES": {"default": {"BACKEND": backend}}}
    with pytest.raises(ImproperlyConfigured, match="cannot be made"):
        get_store()
    with pytest.raises(ImproperlyConfigured, match="has no 'missing'; it has database, default"):
        get_store("missing")

"""The one reader of the ``CHANNEL_LAYERS`` setting."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from channels import DEFAULT_CHANNEL_LAYER
from channels.exceptions import InvalidChannelLayerError
from channels.layers.base import BaseChannelLayer


class ChannelLayerManager:
    """Makes each configured layer once, when it is first asked for.

    Attributes:
        backends: the layers made so far, by alias.
    """

    def __init__(self) -> None:
        self.backends: dict[str, Any] = {}
        setting_changed.connect(self._reset_backends)

    def _reset_backends(self, setting: str, **kwargs: Any) -> None:
        """Forget the layers when a test overrides the setting they came from."""
        if setting == "CHANNEL_LAYERS":
            self.backends = {}

    @property
    def configs(self) -> dict[str, Any]:
        """The setting as it is now; empty if there is none."""
        return getattr(settings, "CHANNEL_LAYERS", None) or {}

    def make_backend(self, name: str) -> Any:
        """Return a new layer from ``CHANNEL_LAYERS[name]["CONFIG"]``."""
        return self._make_backend(name, self.configs[name].get("CONFIG", {}))

    def make_test_backend(self, name: str) -> Any:
        """Return a new layer from ``CHANNEL_LAYERS[name]["TEST_CONFIG"]``, which must be there."""
        try:
            config = self.configs[name]["TEST_CONFIG"]
        except KeyError:
            raise InvalidChannelLayerError(
                f"No TEST_CONFIG specified for {name}; add CHANNEL_LAYERS[{name!r}]['TEST_CONFIG']."
            ) from None
        return self._make_backend(name, config)

    def _make_backend(self, name: str, config: dict[str, Any]) -> Any:
        backend = _backend_class(self.configs, name)
        known = inspect.signature(backend).parameters
        unknown = sorted(set(config) - set(known))
        if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            raise InvalidChannelLayerError(
                f"CHANNEL_LAYERS[{name!r}]['CONFIG'] has {', '.join(map(repr, unknown))}, which "
                f"{backend.__name__} does not know. It knows: {', '.join(known)}."
            )
        return backend(**config)

    def __getitem__(self, key: str) -> Any:
        """Return the layer of an alias; raises KeyError if the setting has no such alias."""
        try:
            return self.backends[key]
        except KeyError:
            if key not in self.configs:
                raise
        layer = self.backends[key] = self.make_backend(key)
        return layer

    def __contains__(self, key: str) -> bool:
        """Whether the setting has this alias."""
        return key in self.configs

    def set(self, key: str, layer: Any) -> Any:
        """Use ``layer`` under this alias (for tests); returns the one that was there, or None."""
        old = self.backends.pop(key, None)
        self.backends[key] = layer
        return old


def _backend_class(configs: Mapping[str, Any], name: str) -> Any:
    try:
        path = configs[name]["BACKEND"]
    except KeyError:
        raise InvalidChannelLayerError(
            f"No BACKEND specified for {name}; add CHANNEL_LAYERS[{name!r}]['BACKEND'], "
            "for example 'channels.layers.InMemoryChannelLayer'."
        ) from None
    try:
        return import_string(path)
    except ImportError as error:
        raise InvalidChannelLayerError(
            f"Cannot import BACKEND {path!r} specified for {name}: {error}."
        ) from error


channel_layers = ChannelLayerManager()


def get_channel_layer(alias: str = DEFAULT_CHANNEL_LAYER) -> BaseChannelLayer | Any:
    """Return the layer configured under ``alias``, or None if there is none.

    Type checkers see the contract of layers. That it may be None is left to you: a project that uses
    groups has a layer.

    Raises:
        InvalidChannelLayerError: the setting is there but cannot be used.
    """
    try:
        return channel_layers.backends[alias]
    except KeyError:
        return channel_layers[alias] if alias in channel_layers else None  # noqa: SIM401 (no get())

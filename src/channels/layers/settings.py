"""The numbers in a layer's CONFIG: a wrong one is named where the layer is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.exceptions import InvalidChannelLayerError


def require_numbers(least: float, **settings: Any) -> None:
    """Raise InvalidChannelLayerError unless each of ``settings`` is a number of at least ``least``."""
    for name, value in settings.items():
        if not isinstance(value, int | float) or not value >= least:
            raise InvalidChannelLayerError(
                f"`{name}` (CHANNEL_LAYERS, CONFIG) must be a number of at least {least:g}, got {value!r}."
            )


def require_limits(
    expiry: Any, group_expiry: Any, capacity: Any, channel_capacity: Mapping[Any, Any] | None
) -> None:
    """Check what every layer has, as :func:`require_numbers`."""
    require_numbers(0, expiry=expiry, group_expiry=group_expiry, capacity=capacity)
    if not isinstance(channel_capacity or {}, Mapping):
        raise InvalidChannelLayerError(
            "`channel_capacity` (CHANNEL_LAYERS, CONFIG) must be a dict of a glob or a compiled pattern to a "
            f"number, got {channel_capacity!r}."
        )
    for pattern, number in (channel_capacity or {}).items():
        require_numbers(0, **{f"channel_capacity[{pattern!r}]": number})

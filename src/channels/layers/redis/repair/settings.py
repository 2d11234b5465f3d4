"""What limits the repair of gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from channels.exceptions import InvalidChannelLayerError

#: The largest values: what is kept is in memory, and whoever waits is held up.
MAX_SECONDS: Final = 3600.0
MAX_BYTES: Final = 2**30


@dataclass(frozen=True, slots=True)
class RepairLimits:
    """How long and how much is kept, and waited for.

    Attributes:
        window: seconds for which a sender keeps what it has published, at most 3600; 0: nothing is kept or
            asked for.
        buffer: bytes that a process keeps at most, and bytes that may wait in it behind gaps; at most 1 GiB.
        timeout: seconds that messages behind a gap wait for it to be filled, at most 3600.
    """

    window: float = 30.0
    buffer: int = 16 * 1024 * 1024
    timeout: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what is no number, or too large."""
        _require("repair_window", self.window, 0, MAX_SECONDS)
        _require("repair_buffer", self.buffer, 0, MAX_BYTES)
        _require("repair_timeout", self.timeout, 0, MAX_SECONDS)

    @property
    def enabled(self) -> bool:
        """Whether anything is kept and asked for."""
        return self.window > 0


def _require(name: str, value: Any, least: float, most: float) -> None:
    right = isinstance(value, int | float) and math.isfinite(value) and least <= value <= most
    if not right:
        raise InvalidChannelLayerError(
            f"`{name}` (CHANNEL_LAYERS, CONFIG) must be a number from {least:g} to {most:g}, got {value!r}."
        )

"""What one WebSocket may make us hold."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from channels.protocols.websocket.frames import MAX_CONTROL_SIZE


@dataclass(frozen=True)
class WebSocketLimits:
    """What one WebSocket may make us hold.

    Attributes:
        max_message_size: bytes of a message, all its fragments together; None for no limit.
        max_frame_size: bytes of one frame; None for no limit.
        max_fragments: frames of one message.
    """

    max_message_size: int | None = 1024 * 1024
    max_frame_size: int | None = None
    max_fragments: int = 65_536

    @functools.cached_property
    def small(self) -> int:
        """How large a payload may be to be within every limit, that of a control frame included."""
        return min(
            size
            for size in (MAX_CONTROL_SIZE, self.max_message_size, self.max_frame_size)
            if size is not None
        )

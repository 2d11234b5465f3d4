"""What was Daphne's WebSocket on Autobahn: its names are answered with what to use."""

import logging

from channels.core.absent import explain_absent
from daphne.utils import parse_x_forwarded_for

__all__ = ["logger", "parse_x_forwarded_for"]

logger = logging.getLogger("daphne.ws_protocol")

_REMEDY = (
    "it is built on Autobahn and Twisted, which Fairway does without. Close codes and messages are a "
    "consumer's, or those of ASGI middleware around it; Server(...).connections has what is open."
)
#: Absent names of the original, with what to use.
ABSENT = {"WebSocketFactory": _REMEDY, "WebSocketProtocol": _REMEDY}
explain_absent(__name__, ABSENT)

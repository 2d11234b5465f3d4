"""What was Daphne's HTTP on Twisted: its names are answered with what to use."""

import logging

from channels.core.absent import explain_absent
from daphne.utils import parse_x_forwarded_for

__all__ = ["logger", "parse_x_forwarded_for"]

logger = logging.getLogger("daphne.http_protocol")

_REMEDY = (
    "it is built on Twisted, which Fairway does without. To see or change requests and responses, wrap the "
    "application in ASGI middleware; keywords of daphne.server.Server set limits, headers and the access log."
)
#: Absent names of the original, with what to use.
ABSENT = {"HTTPFactory": _REMEDY, "WebRequest": _REMEDY}
explain_absent(__name__, ABSENT)

"""The access log, by its old name."""

from __future__ import annotations

from channels.server.access import AccessLog as AccessLogGenerator

__all__ = ["AccessLogGenerator"]

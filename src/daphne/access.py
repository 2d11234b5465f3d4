"""The access log, by its old name."""

from __future__ import annotations

from channels.server.reports.access_log import AccessLog as AccessLogGenerator

__all__ = ["AccessLogGenerator"]

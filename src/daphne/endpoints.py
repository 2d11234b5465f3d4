"""Endpoint strings, by their old name."""

from __future__ import annotations

from channels.server.endpoints.endpoints import endpoint_strings as build_endpoint_description_strings

__all__ = ["build_endpoint_description_strings"]

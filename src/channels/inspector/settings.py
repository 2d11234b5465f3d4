"""The setting ``CHANNELS_INSPECTOR``."""

from __future__ import annotations

from django.conf import settings


def contents_allowed() -> bool:
    """Whether anybody may see what is in messages: ``CHANNELS_INSPECTOR = {"CONTENTS": True}``."""
    return bool((getattr(settings, "CHANNELS_INSPECTOR", None) or {}).get("CONTENTS", False))

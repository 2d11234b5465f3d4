"""Who may use the API: whoever shows one of the keys in ``CHANNELS_TOPICS["API_KEY"]``."""

from __future__ import annotations

import hmac
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from channels.topics.limits import topics_setting

#: Characters that a key has at least.
SHORTEST: Final = 16


def api_keys() -> list[str]:
    """Return the keys; none if the API is off.

    Raises:
        ImproperlyConfigured: one of them is no text, or too short to be a secret; it is not shown.
    """
    configured = topics_setting("API_KEY", None)
    keys = configured if isinstance(configured, list | tuple) else [configured] if configured else []
    for key in keys:
        if not isinstance(key, str) or len(key) < SHORTEST:
            raise ImproperlyConfigured(
                f"CHANNELS_TOPICS['API_KEY'] is a random text of {SHORTEST} characters or more, or a list of "
                "such texts; of several each is good, so that one can be replaced by another."
            )
    return list(keys)


def is_authorized(request: HttpRequest) -> bool:
    """Whether a request shows a key; each key is compared, in the same time whatever was shown."""
    shown = key_of(request).encode()
    matches = [hmac.compare_digest(shown, key.encode()) for key in api_keys()]
    return any(matches)


def key_of(request: HttpRequest) -> str:
    """Return the key that a request shows; "" for none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return (
        request.headers.get("X-API-Key", "")
        or (key.strip() if scheme.lower() == "apikey" else "")
        or request.GET.get("api_key", "")
    )

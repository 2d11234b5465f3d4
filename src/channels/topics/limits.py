"""What one client may cost: the numbers of the setting ``CHANNELS_TOPICS``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one connection; each is a key of ``CHANNELS_TOPICS``, in capitals.

    Attributes:
        max_subscriptions: topics at a time.
        max_command_rate: commands a second; ten seconds' worth may come at once, and more get error 111.
        max_message_size: bytes of a frame from a client.
        max_queue_size: bytes that wait for a client that does not read; then it is disconnected (3008).
        connect_timeout: seconds until a client has to have connected.
        ping_interval: seconds between two pings.
        pong_timeout: seconds in which a client answers one.
        expiry_grace: seconds after the end of a connection or subscription in which a client may refresh it.
        recheck_interval: seconds after which ``may_subscribe`` is asked again, at the next ping.
        recovery_limit: publications that a client may have missed and still get; each topic to which somebody
            comes back has them in memory.
        history_page: publications in one answer to ``history``.
        presence_page: clients in one answer to ``presence``; more are an error, as statistics are for that.
        max_api_request_size: bytes of a request to the HTTP API.
    """

    max_subscriptions: int = 128
    max_command_rate: int = 100
    max_message_size: int = 65_536
    max_queue_size: int = 1_048_576
    connect_timeout: float = 10.0
    ping_interval: float = 25.0
    pong_timeout: float = 10.0
    expiry_grace: float = 25.0
    recheck_interval: float = 120.0
    recovery_limit: int = 300
    history_page: int = 300
    presence_page: int = 1_000
    max_api_request_size: int = 1_048_576


def topics_setting(name: str, default: Any) -> Any:
    """Return one key of the setting ``CHANNELS_TOPICS``."""
    return (getattr(settings, "CHANNELS_TOPICS", None) or {}).get(name, default)


def limits() -> Limits:
    """Return the limits of this project.

    Raises:
        ImproperlyConfigured: one of them is no number above zero.
    """
    configured: dict[str, Any] = getattr(settings, "CHANNELS_TOPICS", None) or {}
    names = {field.name.upper(): field.name for field in dataclasses.fields(Limits)}
    chosen = {names[key]: value for key, value in configured.items() if key in names}
    for name, value in chosen.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ImproperlyConfigured(
                f"CHANNELS_TOPICS[{name.upper()!r}] is {value!r}; it is a number above zero."
            )
    return Limits(**chosen)

"""Who may open a connection at all: pages of this site, with the user of their session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import ParseResult

from django.conf import settings

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator, OriginValidator
from channels.typing import ASGIApp, Receive, Scope, Send


class Origins(OriginValidator):
    """Lets pages of ``CHANNELS_TOPICS["ALLOWED_ORIGINS"]`` in; without that setting, of ``ALLOWED_HOSTS``.

    A client without an Origin is no page (phones and servers send none) and comes in.
    """

    def __init__(self, application: ASGIApp) -> None:
        self.application = application
        self._of_hosts = AllowedHostsOriginValidator(application)

    @property
    def allowed_origins(self) -> Iterable[str]:  # type: ignore[override]  # read late, never written
        """The patterns, as :class:`~channels.security.websocket.OriginValidator` reads them."""
        chosen = (getattr(settings, "CHANNELS_TOPICS", None) or {}).get("ALLOWED_ORIGINS")
        return self._of_hosts.allowed_origins if chosen is None else chosen

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Tell whether a connection with this Origin may come in."""
        return parsed_origin is None or self.validate_origin(parsed_origin)


async def _nobody(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for an application where only the question is asked."""


#: For requests that are no WebSockets.
origins: Final = Origins(_nobody)


class WithUser:
    """Puts the session's user into scopes that have none: AuthMiddleware need not stand around topics."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._authenticated = AuthMiddlewareStack(application)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, with the middleware if nobody has looked the user up."""
        application = self._application if "user" in scope else self._authenticated
        await application(scope, receive, send)

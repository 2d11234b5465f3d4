"""What close codes say, in plain words."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.protocols.centrifuge.codes import DisconnectCode

_MEANINGS: Final[dict[int, str | Promise]] = {
    1000: _("closed as it should be"),
    1001: _("the page was left, or the browser closed"),
    1002: _("the client broke the protocol"),
    1003: _("the client sent a kind of message that is not taken"),
    1005: _("the client closed without a code"),
    1006: _("the connection was lost without a close"),
    1007: _("the client sent text that is not UTF-8"),
    1008: _("refused by a limit or a rule"),
    1009: _("the client sent a message that is too large"),
    1011: _("the application raised, or nobody answered a ping"),
    1012: _("the server restarts"),
    4401: _("the user lost the right to the connection"),
}


def meaning(code: int) -> str:
    """Return what a close code says; for one of the application's own, that it is."""
    if code in _MEANINGS:
        return str(_MEANINGS[code])
    known = next((each.reason for each in DisconnectCode if each == code), "")
    return known or str(_("a code of the application"))

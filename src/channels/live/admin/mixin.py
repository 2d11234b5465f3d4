"""What a ModelAdmin adds for a change list that is live."""

from __future__ import annotations

import json
import time
from typing import Any

from django.forms.widgets import Media
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from channels.live.admin.changelist import ChangeList
from channels.topics.templatetags.topics import endpoints, topics_client_url

SCRIPT, STYLE = "channels/live-admin.js", "channels/live-admin.css"
LIVE: Promise | str = gettext_lazy("Live")
OFFLINE: Promise | str = gettext_lazy("Offline")
CHANGED: Promise | str = gettext_lazy("This list has changed. Reload it")


class LiveAdminMixin:
    """Has the change list of a ``ModelAdmin`` show what changes, without a reload.

    ``class OrderAdmin(LiveAdminMixin, admin.ModelAdmin)``. Rows appear, change and vanish as the admin itself
    would show them: with the filters, the search, the page and the permissions of the user. Lists that are
    edited in place (``list_editable``) say that they have changed, and keep what was typed.

    Attributes:
        is_live: whether it is.
        live_watch: models, or names of tables, that the list shows beside the model's own, those along
            ``list_display`` and of ``list_select_related``.
    """

    is_live = True
    live_watch: tuple[Any, ...] = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Return the change list, with what makes it live."""
        response = super().changelist_view(request, extra_context)  # type: ignore[misc]
        context = getattr(response, "context_data", None)
        if self.is_live and context is not None and "cl" in context:
            context["media"] = context.get("media", Media()) + live_media(self)
        return response


def live_media(admin: Any) -> Media:
    """Return what the page of a change list loads."""
    topic = ChangeList(site=admin.admin_site.name, label=admin.opts.label_lower)
    return Media(css={"all": [STYLE]}, js=[_Script(str(topic))])  # type: ignore[list-item]  # what has __html__ is taken


class _Script:
    """The script of a change list; what it has to know stands in its element: no code is in the page."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Script) and other._topic == self._topic

    def __hash__(self) -> int:
        return hash(self._topic)

    def __html__(self) -> SafeString:
        words = {"live": str(LIVE), "offline": str(OFFLINE), "changed": str(CHANGED)}
        return format_html(
            '<meta name="channels-topics" content="{}"><script type="module" src="{}" id="channels-live" '
            'data-topic="{}" data-client="{}" data-words="{}" data-at="{}"></script>',
            json.dumps(endpoints()),
            static(SCRIPT),
            self._topic,
            topics_client_url(),
            json.dumps(words),
            time.time_ns() // 1_000_000,
        )

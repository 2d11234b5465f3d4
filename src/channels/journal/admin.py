"""The tables of topics in Django's admin, to be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from channels.journal.models import Pending, Publication, Stream
from channels.topics.stores.records import NotARecord, decode_publication


class ReadOnlyAdmin(admin.ModelAdmin):
    """Nothing is added, changed or deleted here: offsets would no longer be what clients were told."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    """Topics and where they end."""

    list_display = ("topic", "top", "keep", "epoch")
    search_fields = ("topic",)


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin):
    """What is kept."""

    list_display = ("stream", "place", "data")
    list_select_related = ("stream",)
    search_fields = ("stream__topic",)

    @admin.display(description="data")
    def data(self, publication: Publication) -> str:
        """Return the beginning of a payload."""
        try:
            payload = bytes(decode_publication(bytes(publication.record), 0, "").data)
        except NotARecord:
            return "?"
        return payload[:200].decode(errors="replace")


@admin.register(Pending)
class PendingAdmin(ReadOnlyAdmin):
    """What waits for its offset; a long list means that no process relays."""

    list_display = ("id", "digest")

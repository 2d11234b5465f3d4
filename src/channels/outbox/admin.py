"""The outbox in Django's admin: what waits, what was given up, and what is to become of it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from channels.outbox.dead_letters import discard, retry
from channels.outbox.models import DurableMessage, Entry, HookCall


class EntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """What both tables have: nothing is added or changed, dead letters are tried again or deleted."""

    actions = ("try_again", "discard_dead")
    list_filter = ("state",)
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are written by the code of a project only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether dead letters may be tried again; the fields themselves are read only."""
        return super().has_change_permission(request, obj)

    @admin.action(description="Try dead letters again", permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        """Try the chosen dead letters again, from their first attempt on."""
        self.message_user(request, f"{retry(queryset)} are tried again.")

    @admin.action(description="Discard dead letters", permissions=["delete"])
    def discard_dead(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        """Delete the chosen dead letters; what is still tried stays."""
        self.message_user(request, f"{discard(queryset)} were discarded.")


class DurableMessageAdmin(EntryAdmin):
    """Messages."""

    list_display = ("id", "state", "layer", "kind", "target", "attempts", "created_at", "error")
    readonly_fields = (
        "layer",
        "kind",
        "target",
        "state",
        "attempts",
        "error",
        "created_at",
        "failed_at",
    )
    exclude = ("payload",)
    search_fields = ("target",)


class HookCallAdmin(EntryAdmin):
    """Hook calls."""

    list_display = ("id", "state", "hook", "attempts", "run_at", "created_at", "error")
    readonly_fields = (
        "hook",
        "arguments",
        "state",
        "attempts",
        "run_at",
        "owner",
        "error",
        "created_at",
        "failed_at",
    )
    search_fields = ("hook",)


if apps.is_installed("django.contrib.admin"):  # else nobody looks at this module, but may import it
    admin.site.register(DurableMessage, DurableMessageAdmin)
    admin.site.register(HookCall, HookCallAdmin)

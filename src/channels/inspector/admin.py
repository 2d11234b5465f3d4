"""The link on the admin's index, and the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse

from channels.inspector.models import AuditEntry, Inspector


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Rows that nobody writes by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """See Django's."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See Django's."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See Django's."""
        return False


@admin.register(Inspector)
class InspectorAdmin(_ReadOnly):
    """Leads to the inspector."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """All staff may see how many there are, if the project has the pages."""
        return _address() != ""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to all staff."""
        return True

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseRedirect:
        """Go there."""
        return HttpResponseRedirect(_address())


def _address() -> str:
    try:
        return reverse("inspector:now")
    except NoReverseMatch:
        return ""


@admin.register(AuditEntry)
class AuditEntryAdmin(_ReadOnly):
    """Who has looked into messages, and who has done what."""

    list_display = ("at", "user", "address", "action", "subject")
    list_filter = ("action",)
    search_fields = ("user", "subject")
    show_full_result_count = False

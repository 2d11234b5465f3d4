"""What staff may do here, and the log of what they did."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class Inspector(models.Model):
    """No table: it holds the permissions, and is the link on the admin's index."""

    class Meta:  # noqa: D106
        managed = False
        default_permissions = ()
        permissions = (
            ("view_inspector", _("Can see connections, topics and tasks")),
            ("see_contents", _("Can see what is in messages, which is logged")),
            ("act", _("Can disconnect, drain, and retry or cancel tasks, which is logged")),
        )
        verbose_name = _("Inspector")
        verbose_name_plural = _("Inspector")


class AuditEntry(models.Model):
    """Somebody has looked into messages, or has done something."""

    at = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    user = models.CharField(_("who"), max_length=150)
    address = models.CharField(_("from where"), max_length=100, blank=True)
    action = models.CharField(_("what"), max_length=50)
    subject = models.CharField(_("to what"), max_length=500)

    objects: ClassVar[models.Manager[AuditEntry]] = models.Manager()

    class Meta:  # noqa: D106
        default_permissions = ("view",)
        ordering = ("-id",)
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")

    def __str__(self) -> str:
        return f"{self.user}: {self.action} {self.subject}"


def audit(request: Any, action: str, subject: str) -> None:
    """Write down that the user of a request does something; before it is done."""
    AuditEntry.objects.create(
        user=request.user.get_username()[:150],
        address=str(request.META.get("REMOTE_ADDR", ""))[:100],
        action=action,
        subject=subject[:500],
    )

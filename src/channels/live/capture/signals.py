"""What models tell: for backends with compilers of their own, and for those who send signals themselves."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import m2m_changed, post_delete, post_save

from channels.live.capture.transactions import note
from channels.live.capture.watched import anybody_may_care


def connect_signals() -> None:
    """Have what models tell noted; harmless if it is already."""
    post_save.connect(_changed, dispatch_uid="channels.live")
    post_delete.connect(_changed, dispatch_uid="channels.live")
    m2m_changed.connect(_related, dispatch_uid="channels.live")


def _changed(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    if anybody_may_care() and instance.pk is not None and not isinstance(instance.pk, tuple | list):
        note(using, sender._meta.db_table, [instance.pk])


def _related(sender: Any, action: str, using: str, **kwargs: Any) -> None:
    if anybody_may_care() and action.startswith("post_"):
        note(using, sender._meta.db_table, None)

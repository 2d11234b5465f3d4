"""Documents as a snapshot and the updates since.

An update is what yjs makes of a change. Updates can be merged in any order and any number of times: nothing
here needs a lock, and no server process has to hold a document. Merging keeps an update that waits for an
earlier one; a document of pycrdt would leave it out of what it gives back.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import m2m_changed
from django.dispatch import receiver
from django.urls import reverse
from pycrdt import Doc, get_state, get_update, merge_updates

from channels.layers import get_channel_layer

EMPTY = b"\x00\x00"  # an update without changes
COMPACTED_AT = 100  # updates


class Document(models.Model):
    title = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="documents")
    writers = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="writes")
    snapshot = models.BinaryField(default=EMPTY)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("document", args=[self.pk])

    def may_write(self, user: Any) -> bool:
        """Whether somebody may change it; whoever is logged in may read."""
        return user.pk == self.owner_id or self.writers.filter(pk=user.pk).exists()

    def content(self) -> bytes:
        """Return all of it as one update."""
        self.refresh_from_db(fields=["snapshot"])
        return merge_updates(bytes(self.snapshot), *(bytes(each.data) for each in self.updates.all()))

    def missing(self, state: bytes) -> bytes:
        """Return what somebody lacks who has ``state``, a state vector."""
        return get_update(self.content(), state)

    def append(self, update: bytes) -> None:
        """Keep an update; now and then, put all of them into the snapshot.

        Raises:
            ValueError: it is no update.
        """
        get_state(update)
        self.updates.create(data=update)
        if self.updates.count() >= COMPACTED_AT:
            self.compact()

    @transaction.atomic
    def compact(self) -> None:
        """Put the updates that are there into the snapshot."""
        locked = Document.objects.select_for_update().get(pk=self.pk)
        updates = list(locked.updates.all())
        merged = merge_updates(bytes(locked.snapshot), *(bytes(each.data) for each in updates))
        locked.snapshot = without_deleted_text(merged)
        locked.save(update_fields=["snapshot"])
        locked.updates.filter(pk__in=[each.pk for each in updates]).delete()


@receiver(m2m_changed, sender=Document.writers.through)
def tell_editors(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **kwargs: Any) -> None:
    """Have open editors look again who may write, whoever has changed it."""
    if action.startswith("post_"):
        tell = async_to_sync(get_channel_layer().group_send)
        for pk in (pk_set or ()) if reverse else (instance.pk,):
            group = f"document-{pk}"
            transaction.on_commit(partial(tell, group, {"type": "document.writers"}), robust=True)


class Update(models.Model):
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="updates")
    data = models.BinaryField()

    class Meta:
        ordering = ("pk",)


def without_deleted_text(update: bytes) -> bytes:
    """Return an update without what was deleted, unless a part of it waits for what is not there yet."""
    document = Doc()
    document.apply_update(update)
    waiting = get_update(update, document.get_state())
    return update if waiting[0] else document.get_update()

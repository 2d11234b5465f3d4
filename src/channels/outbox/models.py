"""The tables of the outbox."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class State(models.TextChoices):
    """What becomes of a row: it is tried until it is done, and then deleted; or it is given up."""

    READY = "ready"
    DEAD = "dead"


class Kind(models.TextChoices):
    """Where a message goes."""

    GROUP = "group"
    CHANNEL = "channel"


class Entry(models.Model):
    """What messages and hooks have in common.

    Attributes:
        WAKEUP: the name of the wake-up that tells of a new row.
        attempts: how often it was tried.
        state: whether it is still tried.
        error: why it was not done the last time.
        created_at: when it was written.
        failed_at: when it was given up; None: it was not.
    """

    WAKEUP: ClassVar[str]

    id = models.BigAutoField(primary_key=True)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    state = models.CharField(max_length=5, choices=State.choices, default=State.READY, editable=False)
    error = models.TextField(default="", blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        """Of the table."""

        abstract = True


class DurableMessage(Entry):
    """A message to a group or a channel of a layer.

    Attributes:
        layer: the alias of the layer.
        kind: what ``target`` is a name of.
        target: the name of a group or a channel.
        payload: the message, as msgpack.
    """

    WAKEUP: ClassVar[str] = "outbox.messages"

    layer = models.CharField(max_length=100, editable=False)
    kind = models.CharField(max_length=7, choices=Kind.choices, editable=False)
    target = models.CharField(max_length=255, editable=False)
    payload = models.BinaryField()

    class Meta:
        """Of the table."""

        db_table = "channels_outbox_message"
        indexes: ClassVar = [models.Index(fields=["state", "id"], name="channels_outbox_message_state")]
        verbose_name = "durable message"

    def __str__(self) -> str:
        return f"message {self.pk} to the {self.kind} {self.target}"


class HookCall(Entry):
    """A call of a function that is marked with ``@on_commit_durably``.

    Attributes:
        hook: its dotted path.
        arguments: JSON: the positional ones and those with a name.
        run_at: not tried before.
        owner: the process that runs it at the moment; empty: none.
    """

    WAKEUP: ClassVar[str] = "outbox.hooks"

    hook = models.CharField(max_length=255, editable=False)
    arguments = models.TextField(editable=False)
    run_at = models.DateTimeField(default=timezone.now, editable=False)
    owner = models.CharField(max_length=32, default="", blank=True, editable=False)

    class Meta:
        """Of the table."""

        db_table = "channels_outbox_hook"
        indexes: ClassVar = [
            models.Index(fields=["state", "owner", "run_at"], name="channels_outbox_hook_state")
        ]
        verbose_name = "hook call"

    def __str__(self) -> str:
        return f"call {self.pk} of {self.hook}"


class Lease(models.Model):
    """The right to do something that one process at a time may do.

    Attributes:
        name: of what.
        owner: the process that has it; empty: none.
        beat: a number that the owner raises every second. Others take the lease when they have seen it
            unchanged for some seconds: no clock is compared with another.
    """

    name = models.CharField(max_length=64, primary_key=True)
    owner = models.CharField(max_length=32, default="", blank=True)
    beat = models.BigIntegerField(default=0)

    class Meta:
        """Of the table."""

        db_table = "channels_outbox_lease"

    def __str__(self) -> str:
        return self.name

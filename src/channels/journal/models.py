"""The tables of topics in a database. Hot statements are written out in ``tables``; the admin reads these."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Pending(models.Model):
    """A publication that its transaction has written, and that has no offset yet.

    Attributes:
        digest: of the topic, see :func:`channels.journal.tables.records.digest_of`.
        record: the publication and what its topic keeps, see :mod:`channels.journal.tables.records`.
    """

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=32)
    record = models.BinaryField()

    class Meta:
        """Where it is."""

        db_table = "channels_journal_pending"
        verbose_name_plural = "pending publications"

    def __str__(self) -> str:
        return f"{self.pk} of {self.digest}"


class Stream(models.Model):
    """A topic: where its publications end, and how many are kept.

    Attributes:
        digest: of the topic.
        topic: its name, in ASCII.
        epoch: of the numbering.
        top: the last offset.
        keep: how many publications are kept.
        floor: up to this offset publications are gone.
        ends: when the position is forgotten, milliseconds since 1970.
        version, version_epoch: of the last publication that has a version.
    """

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=32, unique=True)
    topic = models.TextField()
    epoch = models.CharField(max_length=32)
    top = models.BigIntegerField(default=0)
    keep = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(default=0)
    ends = models.BigIntegerField()
    version = models.BigIntegerField(default=0)
    version_epoch = models.TextField(default="")

    class Meta:
        """Where it is."""

        db_table = "channels_journal_stream"

    def __str__(self) -> str:
        return self.topic


class Publication(models.Model):
    """A publication that has its place.

    Attributes:
        stream: of its topic.
        place: its offset.
        expires: milliseconds since 1970.
        record: see :mod:`channels.topics.stores.records`.
    """

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(
        Stream, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="publications"
    )
    place = models.BigIntegerField()
    expires = models.BigIntegerField(db_index=True)
    record = models.BinaryField()

    class Meta:
        """Where it is."""

        db_table = "channels_journal_publication"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stream", "place"], name="channels_journal_place")
        ]

    def __str__(self) -> str:
        return f"{self.place} of {self.stream_id}"


class IdempotencyKey(models.Model):
    """A key with which something was published lately.

    Attributes:
        stream: of the topic.
        digest: of the key.
        place, epoch: where the publication is.
        expires: milliseconds since 1970.
    """

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(
        Stream, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="keys"
    )
    digest = models.CharField(max_length=32)
    place = models.BigIntegerField()
    epoch = models.CharField(max_length=32)
    expires = models.BigIntegerField(db_index=True)

    class Meta:
        """Where it is."""

        db_table = "channels_journal_key"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stream", "digest"], name="channels_journal_digest")
        ]

    def __str__(self) -> str:
        return f"{self.digest} of {self.stream_id}"


class Relay(models.Model):
    """A process that numbers what is pending; one row, "lock", is the lock of all.

    Attributes:
        owner: random.
        topics: those whose numbered publications may not have been handed on, a MessagePack array.
        noted: when that was noted, milliseconds since 1970.
    """

    owner = models.CharField(max_length=32, primary_key=True)
    topics = models.BinaryField(default=b"")
    noted = models.BigIntegerField(default=0)

    class Meta:
        """Where it is."""

        db_table = "channels_journal_relay"

    def __str__(self) -> str:
        return self.owner

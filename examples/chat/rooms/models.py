"""What the chat keeps: which rooms there are, who has them open, and who has read how far.

What is said in them is in the topics.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.utils import timezone

LONGEST_VISIT = timedelta(days=1)  # the server ends a socket then; what is older was left behind by a crash


class Room(models.Model):
    """A place to talk, known by the name in its address."""

    slug = models.SlugField("name", max_length=40, unique=True)

    class Meta:
        """Listed by name."""

        ordering = ("slug",)

    def __str__(self) -> str:
        """The name as people see it."""
        return self.slug


@contextmanager
def one_at_a_time(person: models.Model) -> Iterator[None]:
    """Let a person's pages open and close one after another: else a reload could count as two, or as none.

    PostgreSQL and MariaDB lock the person's row. SQLite locks the whole database, from the beginning:
    see "transaction_mode" in the settings.
    """
    people = get_user_model().objects.select_for_update()
    with transaction.atomic():
        people.filter(pk=person.pk).first()
        yield


class Visit(models.Model):
    """An open page: a person may have several, and is in the room as long as one is left.

    A person's later page has the higher number (``pk``).
    """

    room = models.SlugField(max_length=40)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        """Who is where."""
        return f"{self.person} in {self.room}"

    @classmethod
    def begin(cls, room: str, person: models.Model) -> tuple[Self, bool]:
        """Note an open page; also says whether it is the person's only one in this room."""
        with one_at_a_time(person):
            visit = cls.objects.create(room=room, person=person)
            return visit, not visit.others().exists()

    def end(self) -> bool:
        """Forget the page; says whether it was the person's last in this room."""
        with one_at_a_time(self.person):
            self.__class__.objects.filter(pk=self.pk).delete()
            return not self.others().exists()

    def others(self) -> "models.QuerySet[Self]":
        """The person's other open pages in this room."""
        begun = timezone.now() - LONGEST_VISIT
        found = self.__class__.objects.filter(room=self.room, person=self.person, since__gt=begun)
        return found.exclude(pk=self.pk)


class Reading(models.Model):
    """How far somebody has read in a room: the offset of a line in its topic."""

    room = models.SlugField(max_length=40)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    offset = models.PositiveBigIntegerField()

    class Meta:
        """One for each person and room."""

        constraints = (models.UniqueConstraint(fields=("room", "person"), name="one_reading_each"),)

    def __str__(self) -> str:
        """Who, where, how far."""
        return f"{self.person} in {self.room}: {self.offset}"

    @classmethod
    def note(cls, room: str, person: models.Model, offset: int) -> None:
        """Note that somebody has read so far; never back."""
        reading, new = cls.objects.get_or_create(room=room, person=person, defaults={"offset": offset})
        if not new:
            cls.objects.filter(pk=reading.pk, offset__lt=offset).update(offset=offset)

    @classmethod
    def of(cls, room: str, person: models.Model) -> int:
        """Return how far somebody has read; 0: nothing."""
        reading = cls.objects.filter(room=room, person=person).first()
        return reading.offset if reading else 0

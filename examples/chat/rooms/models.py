"""What the chat keeps: which rooms there are, and who has them open. What is said in them is not kept."""

from datetime import timedelta
from typing import Self

from django.conf import settings
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


class Visit(models.Model):
    """An open page: a person may have several, and is in the room as long as one is left."""

    room = models.SlugField(max_length=40)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        """Who is where."""
        return f"{self.person} in {self.room}"

    @classmethod
    def begin(cls, room: str, person: models.Model) -> tuple[Self, bool]:
        """Note an open page; also says whether it is the person's first in this room."""
        visit = cls.objects.create(room=room, person=person)
        return visit, not visit.others().filter(pk__lt=visit.pk).exists()

    def end(self) -> bool:
        """Forget the page; says whether it was the person's last in this room."""
        with transaction.atomic():  # two pages that close together: one of them is the last
            self.__class__.objects.filter(pk=self.pk).delete()
            return not self.others().exists()

    def others(self) -> "models.QuerySet[Self]":
        """The person's other open pages in this room."""
        begun = timezone.now() - LONGEST_VISIT
        found = self.__class__.objects.filter(room=self.room, person=self.person, since__gt=begun)
        return found.exclude(pk=self.pk)

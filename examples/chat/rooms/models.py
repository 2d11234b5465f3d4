"""What the chat keeps: which rooms there are. What is said in them is not kept."""

from django.db import models


class Room(models.Model):
    """A place to talk, known by the name in its address."""

    slug = models.SlugField("name", max_length=40, unique=True)

    class Meta:
        """Listed by name."""

        ordering = ("slug",)

    def __str__(self) -> str:
        """The name as people see it."""
        return self.slug

"""The devices, and what each of them is to do. What they do is in no table: it is in the topics."""

from django.db import models


class Device(models.Model):
    """A device, which is also what the broker takes as the user of its connection."""

    # Not a number: those are of people, and a topic must not take a device for one of them.
    name = models.SlugField(primary_key=True, max_length=20)
    site = models.CharField(max_length=20)
    rated = models.PositiveIntegerField("rated power", help_text="What it takes when it is on, in watts.")
    wanted = models.BooleanField(
        null=True, editable=False, help_text="Whether it is to be on; unknown until somebody says so."
    )
    is_active = models.BooleanField(default=True, help_text="Whether it may connect.")

    is_anonymous = False

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

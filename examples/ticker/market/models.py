"""What is traded, and who has marked it with a star. Prices are in no table: they are in the topics."""

from django.conf import settings
from django.db import models


class Instrument(models.Model):
    symbol = models.SlugField(max_length=8, unique=True)
    name = models.CharField(max_length=60)
    opening = models.FloatField(help_text="The price with which the day began.")

    class Meta:
        ordering = ("symbol",)

    def __str__(self) -> str:
        return f"{self.symbol} {self.name}"


class Star(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stars")
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "instrument"), name="one_star_each"),)

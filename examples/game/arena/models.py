"""Matches as the database keeps them: enough to go on after a restart of the worker."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import reverse


class Match(models.Model):
    begun = models.DateTimeField(auto_now_add=True)
    over = models.BooleanField(default=False)
    state = models.JSONField(default=dict, help_text="The world, as the worker wrote it last.")

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "matches"

    def __str__(self) -> str:
        return f"Match {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("match", args=[self.pk])

    def scores(self) -> list[tuple[int, int]]:
        """Return the user and the score of each ship, the best first."""
        ships: dict[str, Any] = self.state.get("ships", {})
        return sorted(((ship["user"], ship["score"]) for ship in ships.values()), key=lambda each: -each[1])

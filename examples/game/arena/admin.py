"""Matches in the admin."""

from django.contrib import admin

from arena.models import Match


@admin.register(Match)
class MatchAdmin(admin.ModelAdmin):
    list_display = ("__str__", "begun", "over")
    list_filter = ("over",)

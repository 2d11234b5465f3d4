"""Rooms in the admin: what is removed here can be entered no more."""

from django.contrib import admin

from rooms.models import Room


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    """By name."""

    search_fields = ("slug",)

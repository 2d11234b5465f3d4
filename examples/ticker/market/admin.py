"""Instruments in the admin."""

from django.contrib import admin

from market.models import Instrument


@admin.register(Instrument)
class InstrumentAdmin(admin.ModelAdmin):
    list_display = ("symbol", "name", "opening")
    search_fields = ("symbol", "name")

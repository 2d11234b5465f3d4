"""Devices in the admin: switch some, or keep one out."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from fleet.models import Device
from fleet.topics import switch


@admin.register(Device)
class DeviceAdmin(admin.ModelAdmin):
    list_display = ("name", "site", "rated", "wanted", "is_active")
    list_filter = ("site", "wanted", "is_active")
    search_fields = ("name",)
    actions = ("switch_on", "switch_off")

    @admin.action(description="Switch on")
    def switch_on(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        self.switch(request, devices, True)

    @admin.action(description="Switch off")
    def switch_off(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        self.switch(request, devices, False)

    def switch(self, request: HttpRequest, devices: QuerySet[Device], on: bool) -> None:
        count = switch([device.name for device in devices], on)
        self.message_user(request, f"{count} devices are told to be {'on' if on else 'off'}.")

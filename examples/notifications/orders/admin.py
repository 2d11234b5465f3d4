"""Orders in the admin: change a status here, and look at the owner's page."""

from django.contrib import admin

from orders.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("__str__", "owner", "status", "changed")
    list_editable = ("status",)
    list_filter = ("status",)
    fields = ("owner", "item", "status")

"""Documents in the admin."""

from django.contrib import admin

from documents.models import Document


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_display = ("title", "owner")
    fields = ("title", "owner", "writers")
    filter_horizontal = ("writers",)

"""The admin, live: change lists whose rows change, appear and vanish without a reload.

``changelist.py`` has the topic of a change list, which says only that something has changed; the page then
asks the admin for the list anew, by its own address, so that filters, search, pages and permissions are those
of the admin. ``mixin.py`` is what a ``ModelAdmin`` adds.
"""

from channels.live.admin.mixin import LiveAdminMixin

__all__ = ["LiveAdminMixin"]

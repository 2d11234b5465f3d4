"""The topic of a change list: it says when something has changed, and not what."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any

from django.apps import apps
from django.contrib.admin.sites import all_sites
from django.db import router
from django.http import HttpRequest

from channels.live.query import LiveQuery
from channels.live.reading.dependencies import Dependencies, own_tables, tables_along
from channels.live.reading.reader import Reader, read_by
from channels.live.rows import Reading


class ChangeList(LiveQuery):
    """Tells the pages of a change list that its rows may have changed.

    Its one row is a time; whoever may see the change list may subscribe.
    """

    pattern = "channels.live.admin:<str:site>:<str:label>"
    fields = ("at",)
    interval = 0.5
    site: str
    label: str

    def may_subscribe(self, user: Any) -> bool:
        """Return whether the admin shows the list to ``user``; its request has a user and nothing else."""
        admin = self.admin
        request = HttpRequest()
        request.user = user
        return (
            admin is not None
            and admin.admin_site.has_permission(request)
            and admin.has_view_permission(request)
        )

    @property
    def admin(self) -> Any:
        """The ``ModelAdmin`` behind it; None if there is none that is live."""
        site = next((each for each in all_sites if each.name == self.site), None)
        try:
            model = apps.get_model(self.label)
        except (LookupError, ValueError):
            return None
        found = None if site is None else site._registry.get(model)
        return found if getattr(found, "is_live", False) else None


class ChangeListReader(Reader):
    """Reads nothing: that it is asked means that something has changed."""

    def dependencies(self) -> Dependencies:
        """Return the tables that the list shows."""
        admin = self._topic.admin
        return Dependencies(
            frozenset(_tables(admin)), frozenset(), frozenset(_aliases(admin.model)), local=False
        )

    def is_ordered(self) -> bool:
        """Return False: there is one row."""
        return False

    def read(self, pks: Collection[Any] | None) -> Reading:
        """Return the time, in milliseconds."""
        return Reading({"list": b'{"at":%d}' % (time.time_ns() // 1_000_000)})


def _tables(admin: Any) -> Iterator[str]:
    yield from own_tables(admin.model)
    related = admin.list_select_related
    paths = [*admin.list_display, *(related if isinstance(related, list | tuple) else ())]
    for path in paths:
        if isinstance(path, str):
            yield from tables_along(admin.model, path.split("__"))
    for each in getattr(admin, "live_watch", ()):
        yield each if isinstance(each, str) else each._meta.db_table


def _aliases(model: Any) -> Iterator[str]:
    yield router.db_for_read(model)
    yield router.db_for_write(model)


read_by(ChangeList, ChangeListReader)

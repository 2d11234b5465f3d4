"""The app ``channels.topics``."""

from __future__ import annotations

from typing import Final

from django.apps import AppConfig

from channels.access.announcements import Change, carry
from channels.access.signals import connect_signals
from channels.topics.access.resending import Resender
from channels.topics.control import AccessChanged, broadcast
from channels.topics.delivery.hub import running_hub
from channels.topics.development.reloading import reloads_pages, watch
from channels.topics.registry import discover
from channels.topics.session.announcing import look_for_vacancies
from channels.topics.stores.manager import get_store


class TopicsConfig(AppConfig):
    """Finds ``topics.py`` in the installed apps."""

    name = "channels.topics"
    label = "channels_topics"
    verbose_name = "Topics"

    def ready(self) -> None:
        """Import the topics of all apps, and tell other processes what changes about users."""
        discover()
        if reloads_pages():
            watch()
        carry(tell_nodes, hear_nodes)
        connect_signals()


_resender: Final = Resender(broadcast)


def tell_nodes(change: Change) -> None:
    """Tell the processes that serve topics what has changed about users."""
    _resender.send(AccessChanged(change.user, change.session, change.permissions))


def hear_nodes() -> None:
    """Hear what processes tell; called in an event loop."""
    hub = running_hub()
    hub.use(get_store())
    look_for_vacancies(hub)

"""The topic by which the pages are live; its publications stay in the process that has made them."""

from __future__ import annotations

from typing import Any

from channels.inspector import sampling
from channels.inspector.permissions import VIEW, is_staff, may
from channels.topics.stores.manager import PROCESS_STORE
from channels.topics.topic import Topic


class Pulse(Topic):
    """What a look at all processes has shown: of ``now``, or of ``counts`` for those who see no names."""

    pattern = "channels.inspector:<str:page>"
    store = PROCESS_STORE
    slow_clients = "latest"
    page: str

    def may_subscribe(self, user: Any) -> bool:
        """Staff, with the permission unless it is about numbers only."""
        if self.page not in ("now", "counts"):
            return False
        allowed = may(user, VIEW) if self.page == "now" else is_staff(user)
        if allowed:
            sampling.sampler.want()
        return allowed

"""The topic that tells open pages that they are old."""

from __future__ import annotations

import uuid
from typing import Any, Final

from channels.topics.calls import rpc
from channels.topics.topic import Topic

#: Which process this is.
BOOT: Final = uuid.uuid4().hex


class PageReload(Topic):
    """Each publication is a reason to load the page anew; so is another process that serves it."""

    pattern = "channels-reload"

    def may_subscribe(self, user: Any) -> bool:
        """Return True: pages of strangers are old, too."""
        return True

    @rpc
    def boot(self, user: Any) -> str:
        """Return which process serves."""
        return BOOT

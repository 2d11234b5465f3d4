"""A topic for each customer."""

from datetime import timedelta
from typing import Any

from django.template.loader import render_to_string

from channels.topics import History, Topic


class OrdersOf(Topic):
    """Tells that somebody's orders have changed. Pages read it as an event stream of HTML."""

    pattern = "orders:<int:owner>"
    history = History(size=100, ttl=timedelta(days=1))  # who comes back hears of it; after that long, "gap"
    owner: int

    def may_subscribe(self, user: Any) -> bool:
        return user.is_authenticated and user.pk == self.owner

    def render(self, publication: Any, user: Any, request: Any) -> str:
        """Return the list and the badge as they are now: right, however often and late they are shown.

        And a sentence on what has changed, for screen readers: they would read out the whole list.
        """
        from orders.models import shown_to

        return render_to_string("orders/event.html", shown_to(self.owner, publication.data.get("order")))

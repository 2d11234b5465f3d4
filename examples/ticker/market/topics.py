"""A topic for each instrument, which keeps its newest price."""

from datetime import timedelta
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied

from channels.topics import History, RPCError, Topic, rpc
from market.models import Instrument, Star


class Tick(msgspec.Struct):
    """A price at a time, in milliseconds since 1970."""

    price: float
    at: int


class Quote(Topic):
    """What an instrument costs. A page subscribes to those that it shows."""

    pattern = "quote:<slug:symbol>"
    message = Tick
    history = History(size=1, ttl=timedelta(days=1))
    cache = True  # who subscribes, or comes back, has the newest price at once
    slow_clients = "latest"  # a slow phone gets fewer prices, and never an old one
    symbol: str

    def may_subscribe(self, user: Any) -> bool:
        return True

    @rpc
    def star(self, user: Any, on: bool) -> None:
        """Mark the instrument with a star, or take it away."""
        if not user.is_authenticated:
            raise PermissionDenied
        instrument = Instrument.objects.filter(symbol=self.symbol).first()
        if instrument is None:
            raise RPCError(404, f"There is no instrument {self.symbol}.")
        if on:
            Star.objects.get_or_create(user=user, instrument=instrument)
        else:
            Star.objects.filter(user=user, instrument=instrument).delete()

"""A topic for each match: everybody sees the same snapshots, players and hundreds of spectators alike."""

from datetime import timedelta
from typing import Annotated, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from msgspec import Meta

from arena.engine import MOST_PLAYERS
from arena.messages import tell
from arena.models import Match
from channels.topics import History, RPCError, Topic, rpc

# What comes from pages: anything else is refused before a method is called.
Count = Annotated[int, Meta(ge=0, lt=65536)]
Sign = Annotated[int, Meta(ge=-1, le=1)]
Players = Annotated[list[Annotated[int, Meta(ge=1, le=2**63 - 1)]], Meta(max_length=MOST_PLAYERS)]


class MatchTopic(Topic):
    """What happens in a match, 20 times a second, in bytes (see ``World.snapshot``)."""

    pattern = "match:<int:pk>"
    message = bytes
    history = History(size=2, ttl=timedelta(minutes=10))
    cache = True  # who comes sees the field at once
    delta = True  # of most ships only the place changes
    presence = True
    pk: int

    def may_subscribe(self, user: Any) -> bool:
        return Match.objects.filter(pk=self.pk).exists()

    @rpc
    async def join(self, user: Any) -> None:
        """Get a ship. Who has one already has it back, also after a loss of the connection."""
        await self.require_player(user)
        match = await Match.objects.filter(pk=self.pk).afirst()
        if match is None or match.over:
            raise RPCError(400, "The match is over.")
        ships = match.state.get("ships", {})
        if len(ships) >= MOST_PLAYERS and str(user.pk) not in ships:
            raise RPCError(400, "The match is full.")
        await tell("match.join", match=self.pk, user=user.pk)

    @rpc
    async def steer(self, user: Any, seq: Count, dx: Sign, dy: Sign) -> None:
        """Turn the ship. The page counts its inputs in ``seq``, and each snapshot says which one it knows.

        If the worker falls behind, its channel is full and the page gets error 111. Nothing is repeated:
        the page's next input counts instead, and it sends one each second, whether it has changed or not.
        """
        await self.require_player(user)
        await tell("match.steer", match=self.pk, user=user.pk, seq=seq, dx=dx, dy=dy)

    @rpc
    def names(self, user: Any, players: Players) -> dict[str, str]:
        """Return what some players of this match are called; who came a moment ago may be missing."""
        match = Match.objects.filter(pk=self.pk).first()
        here = match.state.get("ships", {}) if match else {}
        found = get_user_model().objects.filter(pk__in=[player for player in players if str(player) in here])
        return {str(player.pk): player.get_username() for player in found}

    async def require_player(self, user: Any) -> None:
        if not user.is_authenticated:
            raise PermissionDenied

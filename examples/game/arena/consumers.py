"""The worker that runs the matches: one task for each, 20 ticks a second.

``python manage.py runworker arena`` runs it. Only one process does, so that a match has one truth; pages
reach it from any server process through the channel layer. Each second a match is written to the database: a
worker that takes over goes on from there with the next input of any player.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from arena.engine import TICKS, Refused, World
from arena.models import Match
from arena.topics import MatchTopic
from channels.consumer import AsyncConsumer

logger = logging.getLogger(__name__)
SAVED_EACH = TICKS  # ticks


class RunningMatch:
    """A match and its task."""

    def __init__(self, match: Match) -> None:
        self.pk, self.world = match.pk, World.load(match.state)
        self.topic = MatchTopic(pk=match.pk)
        self.task = asyncio.create_task(self.run())
        self.task.add_done_callback(self.ended)

    async def run(self) -> None:
        """Tick until the match is over. A tick that comes late is made up for by the next ones."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self.world.over:
            self.world.advance()
            await self.topic.apublish(self.world.snapshot())
            if self.world.tick % SAVED_EACH == 0:
                await self.save()
            due = max(due + 1 / TICKS, loop.time() - 1)
            await asyncio.sleep(due - loop.time())
        await self.save()

    def ended(self, task: asyncio.Task[None]) -> None:
        """Say why, if it failed; the next input goes on from what was saved."""
        if not task.cancelled() and task.exception() is not None:
            logger.error("Match %s has failed.", self.pk, exc_info=task.exception())

    async def save(self) -> None:
        await Match.objects.filter(pk=self.pk).aupdate(state=self.world.dump(), over=self.world.over)


class ArenaConsumer(AsyncConsumer):
    """Takes what players do, and hands it to their match."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.matches: dict[int, RunningMatch] = {}

    async def match_join(self, message: dict[str, Any]) -> None:
        running = await self.running(message["match"])
        if running is not None:
            try:
                running.world.join(message["user"])
            except Refused as reason:
                logger.info("%s cannot join match %s: %s", message["user"], message["match"], reason)

    async def match_steer(self, message: dict[str, Any]) -> None:
        running = await self.running(message["match"])
        if running is not None:
            running.world.steer(message["user"], message["seq"], message["dx"], message["dy"])

    async def running(self, pk: int) -> RunningMatch | None:
        """Return a match, begun or gone on with if it is not running; None if it is over."""
        running = self.matches.get(pk)
        if running is not None and not running.task.done():
            return running
        match = await Match.objects.filter(pk=pk, over=False).afirst()
        if match is None:
            self.matches.pop(pk, None)
            return None
        running = self.matches[pk] = RunningMatch(match)
        return running

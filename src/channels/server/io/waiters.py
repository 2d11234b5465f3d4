"""Those who wait until a condition may have changed."""

from __future__ import annotations

import asyncio


class Waiters:
    """Coroutines that wait for the next :meth:`wake`, and then look at their condition again.

    Whoever needs one makes it when somebody waits for the first time: most connections and streams never do.
    """

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait for the next :meth:`wake`. Cancelling it leaves nothing behind."""
        waiter = asyncio.get_running_loop().create_future()
        self._futures.append(waiter)
        try:
            await waiter
        finally:
            self._futures.remove(waiter)

    def wake(self) -> None:
        """Let all go on that wait at present."""
        for waiter in self._futures:
            if not waiter.done():
                waiter.set_result(None)

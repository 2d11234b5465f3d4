"""Names of channels 4.3 that other packages import; new code has no need of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels import telemetry


def name_that_thing(thing: Any) -> str:
    """Return the dotted name of a class or function, or that of an object's class."""
    named = thing if hasattr(thing, "__name__") and hasattr(thing, "__module__") else type(thing)
    return f"{named.__module__}.{named.__name__}"


async def await_many_dispatch(
    consumer_callables: Sequence[Callable[[], Awaitable[Any]]],
    dispatch: Callable[[Any], Awaitable[Any]],
) -> None:
    """Give what the callables return, again and again, to ``dispatch``, one at a time.

    It runs until it is cancelled, or until a callable or ``dispatch`` raises. Results that
    have been taken from a callable by the time it is cancelled are dispatched before it
    ends; after an error they cannot be, and are counted (``utils.undelivered``).

    Args:
        consumer_callables: coroutine functions without arguments, as ``receive``.
        dispatch: awaited with each result.
    """
    reads: dict[asyncio.Future[Any], Any] = {
        asyncio.ensure_future(read()): read for read in consumer_callables
    }
    try:
        while True:
            await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            for read in [read for read in reads if read.done()]:
                again = reads.pop(read)
                reads[asyncio.ensure_future(again())] = again
                await dispatch(read.result())
    except asyncio.CancelledError:
        for result in await _end(reads):
            await dispatch(result)
        raise
    except BaseException:
        undelivered = await _end(reads)
        if undelivered:
            telemetry.count("utils.undelivered", len(undelivered))
        raise


async def _end(reads: dict[asyncio.Future[Any], Any]) -> list[Any]:
    """Cancel the reads; return what they had taken before."""
    for read in reads:
        read.cancel()
    results = await asyncio.gather(*reads, return_exceptions=True)
    return [result for result in results if not isinstance(result, BaseException)]

"""The end of a process, which no thread of the application can put off for ever.

An interpreter that ends waits for every thread that is no daemon, and for those of every executor.
One that waits for a slow service, or for ever, would keep a server alive long after its drain.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as futures
from typing import Final

logger = logging.getLogger("channels.server")

#: Seconds that code which was cancelled gets to clean up.
CANCELLED: Final = 0.4
#: Seconds that threads of the application get to end when all else has ended.
LINGER: Final = 0.2
#: Seconds from the end of the last application to the end of the process: threads of the event loop's
#: executor and others each get their moment, and the interpreter takes its own.
EXIT: Final = 2 * LINGER + 0.15

_exit_timeout: float | None = None


def gentle_part(limit: float | None, last: float) -> float | None:
    """Return how much of a time limit there is for what ends by itself; what is cut ends within the rest.

    Args:
        limit: seconds in which all has to have ended; None for no limit.
        last: seconds that cutting takes at most. Of a shorter limit than that some is left all the same.
    """
    return None if limit is None else max(limit - last, 0.4 * limit)


class LimitedExecutor(ThreadPoolExecutor):
    """An event loop's default executor, whose shutdown takes at most :data:`LINGER` seconds."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="asyncio")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and wait for those that run; not longer than there is time."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        end = time.monotonic() + LINGER
        for thread in tuple(self._threads) if wait else ():
            thread.join(max(0.0, end - time.monotonic()))


def end_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs in an event loop, and close it, as ``asyncio.run()`` does.

    A task that waits for a thread which is held is not waited for longer than :data:`CANCELLED` seconds.

    Args:
        loop: one that does not run any more, with a :class:`LimitedExecutor`.
    """
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=CANCELLED))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def exit_timeout(seconds: float) -> float:
    """Return for how long the end of this process may wait for threads: at most ``seconds``."""
    return seconds if _exit_timeout is None else min(seconds, _exit_timeout)


def exit_in_time(code: int, seconds: float = LINGER) -> None:
    """See to it that this process ends soon after its main thread, whatever other threads do.

    Where all threads end by themselves it changes nothing.

    Args:
        code: the exit code if they do not.
        seconds: how long they may take.
    """
    global _exit_timeout
    _exit_timeout = seconds
    if _lingering():
        ending = threading.Event()
        # Called before the executors' own, which wait without end.
        threading._register_atexit(ending.set)  # type: ignore[attr-defined]
        threading.Thread(target=_end, args=(ending, code, seconds), name="exit", daemon=True).start()


class ExitInTime:
    """Does what :func:`exit_in_time` does, at the end of a main thread that does not return to its caller.

    Make it before: since Python 3.12 nothing can start a thread once the main thread has ended.

    Args:
        seconds: how long other threads may take.
    """

    def __init__(self, seconds: float = LINGER) -> None:
        self._seconds = seconds
        self._codes: list[int] = []
        self._asked = threading.Event()
        threading.Thread(target=self._wait, name="exit", daemon=True).start()

    def exit(self, code: int) -> None:
        """End the process with ``code`` if its threads do not end by themselves in time."""
        global _exit_timeout
        _exit_timeout = self._seconds
        self._codes.append(code)
        self._asked.set()

    def cancel(self) -> None:
        """Let the process end as it does."""
        self._asked.set()

    def _wait(self) -> None:
        self._asked.wait()
        if self._codes:
            _end(self._asked, self._codes[0], self._seconds)


def _lingering() -> list[threading.Thread]:
    """Return the threads that the interpreter would wait for."""
    main, executors = threading.main_thread(), futures._threads_queues
    waited_for = (thread for thread in threading.enumerate() if not thread.daemon or thread in executors)
    return [thread for thread in waited_for if thread is not main]


def _end(ending: threading.Event, code: int, seconds: float) -> None:
    ending.wait()
    end = time.monotonic() + seconds
    for thread in _lingering():
        thread.join(max(0.0, end - time.monotonic()))
    if not _lingering():
        return
    frames = sys._current_frames()
    for thread in _lingering():
        frame = frames.get(thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        logger.warning("The process ends without its thread %s, which is here:\n%s", thread.name, stack)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)

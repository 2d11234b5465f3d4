"""What ``runserver`` adds to Django's reloader: mistakes in the code are explained, and clients are told."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Iterator
from typing import Any

from django.utils import autoreload

from channels.diagnostics.tracebacks import files_of, place_of
from channels.process.exit import ExitInTime

#: Seconds that a server gets to close its WebSockets before the process ends.
LAST_MOMENT = 2.0


def headline(error: Exception) -> str:
    """Return one line that says where in the user's code ``error`` comes from, and what it is."""
    cause = error
    while isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    return f"{place_of(error)}: {type(cause).__name__}: {cause}"


def explain_and_watch(error: Exception) -> str:
    """Have the reloader watch the files that ``error`` went through.

    It watches the modules that were imported, and one that raised is not among them.

    Returns:
        The traceback, and what happens next.
    """
    watched: list[str] = getattr(autoreload, "_error_files", [])
    watched += [filename for filename in files_of(error) if filename not in watched]
    return f"{''.join(traceback.format_exception(error))}\nWaiting for a change of the code to start again."


@contextlib.contextmanager
def stopped_at_exit(server: Any) -> Iterator[None]:
    """Stop ``server`` gracefully if the process ends while the block runs, as it does at a reload.

    The reloader ends the process from its main thread, while the server runs in another: without
    this, WebSockets would end without a close frame, and their clients would not know to come back.

    Args:
        server: has a ``stop()`` that may be called from any thread; one without is left alone.
    """
    serving = threading.current_thread()
    running = [server]
    codes = [0]

    def note_change(**_: Any) -> None:
        codes[0] = 3  # what the reloader takes for "start again"

    def stop() -> None:
        if running:
            ends.set()
            running[0].stop()
            if serving is not threading.main_thread():
                serving.join(LAST_MOMENT)
            ending.exit(codes[0])

    if not hasattr(server, "stop"):
        yield
        return
    ending, ends = ExitInTime(), threading.Event()
    autoreload.file_changed.connect(note_change, weak=False)
    # The interpreter calls it before it waits for the executors' threads, which may be held.
    threading._register_atexit(stop)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        running.clear()
        if not ends.is_set():
            ending.cancel()
        autoreload.file_changed.disconnect(note_change)

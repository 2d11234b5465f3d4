"""Work that stays in its thread until it is told to go on."""

from __future__ import annotations

import threading

PATIENCE = 30


class Blocker:
    """A piece of work that waits for ``release()``; ``begun`` says that it does."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.thread: threading.Thread | None = None
        self._released = threading.Event()

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self._released.wait(PATIENCE)

    def release(self) -> None:
        self._released.set()


class Note:
    """A piece of work that says where it was done."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.done.set()

    def wait(self) -> threading.Thread:
        assert self.done.wait(PATIENCE)
        assert self.thread is not None
        return self.thread

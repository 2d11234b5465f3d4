"""What tasks of all systems do. They leave what is measured in files: some of them keep no results."""

import time
from pathlib import Path


def nothing(number: int) -> int:
    """Return at once."""
    return number


def mark(path: str) -> None:
    """Note the time, and how much processor time this process has had."""
    _note(path, f"{time.time()} {time.process_time()}")


def age(path: str, enqueued: float) -> None:
    """Note how long it took until this runs, in seconds."""
    _note(path, str(time.time() - enqueued))


def _note(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{line}\n")

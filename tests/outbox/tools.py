"""What tests of the outbox call and look at."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from channels.outbox import on_commit_durably
from channels.outbox.models import DurableMessage, HookCall, Lease, State

calls: list[Any] = []
release = threading.Event()


@on_commit_durably
def note(*args: Any, **kwargs: Any) -> None:
    calls.append((args, kwargs))


@on_commit_durably(attempts=3, backoff=0.01)
def fail(*args: Any) -> None:
    calls.append(args)
    raise ValueError(f"not today: {args}")


@on_commit_durably
async def anote(*args: Any) -> None:
    calls.append(args)


@on_commit_durably(attempts=1)
def says(text: str) -> None:
    raise ValueError(text)


@on_commit_durably(attempts=1)
def exits() -> None:
    sys.exit(3)


@on_commit_durably
def wait_for_release(name: str) -> None:
    calls.append(name)
    release.wait(20)


def until(condition: Any, what: str = "it happens", seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.005)


@on_commit_durably(atomic=True)
def change_and_wait(name: str) -> None:
    calls.append(name)
    Lease._default_manager.create(name=name)
    release.wait(20)


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction that does not come to its end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def is_empty() -> bool:
    """Whether all that was written is done."""
    return not any(
        model._default_manager.filter(state=State.READY).exists() for model in (DurableMessage, HookCall)
    )

"""A process that uses the outbox, and is killed at one step: ``python -m tests.outbox.relay.victim STEP``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings

from tests.support.databases import from_environment

#: Where the processes of the host layer meet, and the file that hooks write to.
PATH, FILE = "OUTBOX_HOST", "OUTBOX_FILE"


def layers() -> dict[str, Any]:
    backend = "channels.layers.host.HostChannelLayer"
    return {"default": {"BACKEND": backend, "CONFIG": {"path": os.environ[PATH], "project": "outbox"}}}


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def set_up() -> None:
    settings.configure(
        DATABASES=from_environment(),
        CHANNEL_LAYERS=layers(),
        INSTALLED_APPS=["channels", "channels.outbox"],
        USE_TZ=True,
    )
    django.setup()


def before(owner: Any, name: str) -> None:
    setattr(owner, name, die)


def after(owner: Any, name: str, when: Callable[[Any], Any] = lambda result: True) -> None:
    real = getattr(owner, name)

    def call(*args: Any) -> Any:
        result = real(*args)
        if when(result):
            die()
        return result

    setattr(owner, name, call)


def write(commit: bool) -> None:
    from django.db import transaction

    from tests.outbox.relay import effects

    with transaction.atomic():
        effects.write(effects.ALL)
        if not commit:
            die()


def arm(step: str) -> None:
    """Have this process die at a step of the relay, or of the wake-up."""
    from django.db import transaction

    from channels.outbox import writing
    from channels.outbox.relay import messages
    from channels.outbox.relay.hooks import HookRelay
    from channels.outbox.relay.leases import Leases

    arms: dict[str, Callable[[], None]] = {
        "committed": lambda: setattr(writing, "wake_on_commit", lambda *_: transaction.on_commit(die)),
        "leased": lambda: after(Leases, "take", bool),
        "sending": lambda: before(messages, "send"),
        "sent": lambda: after(messages, "send"),
        "stopped": lambda: after(messages, "send", lambda _: os.kill(os.getpid(), signal.SIGSTOP)),
        "deleted": lambda: after(messages.MessageRelay, "_send_all"),
        "claimed": lambda: before(HookRelay, "_run"),
        "ran": lambda: before(HookRelay, "_succeeded"),
        "recorded": lambda: after(HookRelay, "_succeeded"),
        "atomic": lambda: before(HookRelay, "_claimed"),
        "atomic recorded": lambda: after(HookRelay, "_run_atomic"),
    }
    arms.get(step, lambda: None)()


def main(step: str) -> None:
    set_up()
    arm(step)
    if step in ("written", "committed"):
        write(commit=step == "committed")
    from channels.outbox.relay.relay import Relay

    os.environ["OUTBOX_STEP"] = step
    Relay("default").start()
    threading.Event().wait(30)


if __name__ == "__main__":
    main(sys.argv[1])

"""The member of the fleet that this process is, and asking from a process that is none."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401  # its end is registered before ours, and so comes after it
import contextlib
import threading

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers.manager import channel_layers
from channels.observability.fleet.asking import TIME_LIMIT, NodeAnswer, Questions
from channels.observability.fleet.member import Member
from channels.observability.fleet.messages import Answer, Envelope
from channels.observability.fleet.questions import Ask
from channels.observability.fleet.roster import Roster
from channels.observability.fleet.transport import listen, opened
from channels.process.platforms import after_fork_in_child

_member: Member | None = None
#: At the end of the process, before the threads are told to end: who says goodbye needs them still.
_at_end = getattr(threading, "_register_atexit", atexit.register)


def join() -> None:
    """Make this process a member, from now on; harmless if it is one."""
    global _member
    if _member is None:
        _member = Member()
        _member.start()
        _at_end(leave)


def leave() -> None:
    """End that; waits for a moment."""
    global _member
    member, _member = _member, None
    if member is not None:
        member.stop()


def layer_error() -> str:
    """Return why this process does not reach the others; "" if it does, or is no member."""
    return "" if _member is None else _member.layer_error


def _forget() -> None:
    global _member
    _member = None


after_fork_in_child(_forget)


def ask(question: Ask, time_limit: float = TIME_LIMIT) -> list[NodeAnswer]:
    """Ask all processes, from sync code.

    Args:
        question: what.
        time_limit: seconds that they have to answer.

    Returns:
        What each said, and who said nothing; in the order of their names.

    Raises:
        ChannelLayerUnavailable: this process is no member, and the layer is away.
    """
    if _member is not None:
        return _member.ask(question, time_limit)
    return asyncio.run(_ask_from_outside(question, time_limit))


async def _ask_from_outside(question: Ask, time_limit: float) -> list[NodeAnswer]:
    if DEFAULT_CHANNEL_LAYER not in channel_layers:
        return []
    questions = Questions(Roster())

    def hear(envelope: Envelope) -> None:
        if isinstance(envelope, Answer):
            questions.heard(envelope)

    async with opened() as (transport, mailbox):
        listening = asyncio.ensure_future(listen(transport, mailbox, hear))
        try:
            return await questions.ask(transport, question, time_limit)
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

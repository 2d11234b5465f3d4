"""The broker's part: it asks the processes that have members, and collects their answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from channels.layers.host.broker.group_table import SubscriptionTable
from channels.layers.host.broker.peer import Peer
from channels.layers.host.wire import frames as wire


class _Question:
    """One question, the answers so far, and the processes that have not answered yet."""

    def __init__(self, asker: Peer, number: int, named: Iterable[str]) -> None:
        self.asker = asker
        self.number = number
        self.channels: set[str] = set(named)
        self.open: set[Peer] = set()
        self.deaf = 0


class Questions:
    """All questions that are on their way.

    Args:
        send: sends a frame to a process.
        call_later: calls a function after some seconds.
    """

    def __init__(
        self,
        send: Callable[[Peer, bytes], None],
        call_later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._send = send
        self._call_later = call_later
        self._tokens = itertools.count(1)
        self._questions: dict[int, _Question] = {}

    def ask(self, asker: Peer, frame: wire.GroupQuery, members: SubscriptionTable) -> None:
        """Ask the processes in the group who of theirs is; the asker is told when all have answered."""
        processes, named = members.find(frame.group)
        token, question = next(self._tokens), _Question(asker, frame.number, named)
        self._questions[token] = question
        for peer in processes:
            if peer is asker:
                continue
            if wire.GROUP_MEMBERS in peer.features and peer.sock is not None:
                question.open.add(peer)
                self._send(peer, wire.encode(wire.GroupQueryRequest(token, frame.group)))
            else:
                question.deaf += 1
        if question.open:
            self._call_later(frame.seconds, lambda: self._end(token))
        else:
            self._end(token)

    def answered(self, peer: Peer, frame: wire.GroupQueryReply) -> None:
        """Take what a process answers."""
        question = self._questions.get(frame.token)
        if question is not None and peer in question.open:
            question.channels.update(frame.channels)
            question.open.discard(peer)
            if not question.open:
                self._end(frame.token)

    def forget(self, peer: Peer) -> None:
        """Wait no more for a process that has ended; what it had in groups is gone with it."""
        for token, question in tuple(self._questions.items()):
            question.open.discard(peer)
            if question.asker is peer:
                del self._questions[token]
            elif not question.open:
                self._end(token)

    def _end(self, token: int) -> None:
        question = self._questions.pop(token, None)
        if question is not None:
            unanswered = len(question.open) + question.deaf
            answer = wire.GroupQueryResult(question.number, sorted(question.channels), unanswered)
            self._send(question.asker, wire.encode(answer))

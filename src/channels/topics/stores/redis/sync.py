"""The store for sync code: redis-py's blocking client, no event loop, safe in threads and forks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from channels.layers.redis.connect.blocking import BlockingClient, BlockingClients
from channels.layers.redis.connect.errors import UNREACHABLE, RedisUnavailable
from channels.layers.redis.hosts.addresses import Address
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.stores.base import Append, Position, PresenceStats, Published, StreamPage
from channels.topics.stores.redis.errors import store_unavailable
from channels.topics.stores.redis.pages import PageCollector
from channels.topics.stores.redis.requests import Request, Requests

_T = TypeVar("_T")

#: Publications of one round trip: what waits for its answer stays short.
PIECE: Final = 256


class RedisSyncStore:
    """See :class:`channels.topics.stores.base.SyncStore`.

    Args:
        addresses: returns the servers.
        requests: what is asked of Redis.
    """

    def __init__(self, addresses: Callable[[], Sequence[Address]], requests: Requests) -> None:
        self._requests = requests
        self._clients = BlockingClients(addresses)

    def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._run(self._requests.publish(append))

    def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """See :class:`~channels.topics.stores.base.BatchingStore`; a round trip for each server and piece."""
        published: dict[int, Published] = {}
        for places in self._clients.by_server([append.topic for append in appends]):
            for start in range(0, len(places), PIECE):
                piece = places[start : start + PIECE]
                requests = [self._requests.publish(appends[place]) for place in piece]
                published.update(zip(piece, self._run_all(requests), strict=True))
        return [published[place] for place in range(len(appends))]

    def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        pages = PageCollector(since, limit, reverse)
        while not pages.complete:
            pages.add(self._run(self._requests.read(topic, pages.since, pages.amount, reverse)))
        return pages.result()

    def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._run(self._requests.remove(topic))

    def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._run(self._requests.presence(topic))

    def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._run(self._requests.presence_stats(topic))

    def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._run(self._requests.broadcast(message))

    def close(self) -> None:
        """Close the connections; new ones are made when they are needed again."""
        self._clients.close()

    def _run_all(self, requests: Sequence[Request[_T]]) -> list[_T]:
        """Run requests of one server, each once."""
        try:
            replies = self._clients.run(requests[0].topic, lambda client: _execute_all(client, requests))
        except RedisUnavailable as error:
            raise store_unavailable(error) from error
        return [request.answer(reply) for request, reply in zip(requests, replies, strict=True)]

    def _run(self, request: Request[_T]) -> _T:
        def call(client: BlockingClient) -> Any:
            for _ in range(request.tries - 1):
                try:
                    return _execute(client, request)
                except UNREACHABLE:  # once more: it may be done twice
                    pass
            return _execute(client, request)

        try:
            return request.answer(self._clients.run(request.topic, call))
        except RedisUnavailable as error:
            raise store_unavailable(error) from error


def _execute(client: BlockingClient, request: Request[Any]) -> Any:
    """Run a request; its reply is bytes, whatever the options of the host say of decoding."""
    verb = "SPUBLISH" if client.sharded else "PUBLISH"
    bare = {NEVER_DECODE: True}
    try:
        return client.redis.execute_command(*request.command(verb, False), **bare)
    except NoScriptError:
        return client.redis.execute_command(*request.command(verb, True), **bare)


def _execute_all(client: BlockingClient, requests: Sequence[Request[Any]]) -> list[Any]:
    """Run requests in their order, in one round trip where one server has all of them."""
    if client.is_cluster:
        return [_execute(client, request) for request in requests]
    pipeline = client.redis.pipeline(transaction=False)
    for request in requests:
        pipeline.execute_command(*request.command("PUBLISH", False), **{NEVER_DECODE: True})
    replies = []
    for request, reply in zip(requests, pipeline.execute(raise_on_error=False), strict=True):
        if isinstance(reply, Exception) and not isinstance(reply, NoScriptError):
            raise reply
        replies.append(_execute(client, request) if isinstance(reply, NoScriptError) else reply)
    return replies

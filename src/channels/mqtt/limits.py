"""What one client may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Bytes of the messages that wait for a client.
QUEUED_BYTES: Final = 4_194_304


@dataclass(frozen=True, slots=True)
class MQTTLimits:
    """The limits of a broker's clients.

    Attributes:
        connect_timeout: seconds until CONNECT has to have come.
        max_packet_size: the largest packet that is taken, in bytes.
        max_keep_alive: the longest keep alive in seconds; who asks for none, or for more, gets this (5.0) or
            is closed by it (3.1.1).
        max_subscriptions: topic filters of one client.
        max_names: topics that one client's filters may bring it, and topics that a process remembers for
            wildcards.
        max_inflight: messages of QoS 1 and 2 that a client has not acknowledged; the client may say less.
        max_queued: messages of QoS 1 and 2 that wait for a client, also while it is away.
        max_queued_bytes: bytes of those messages: topics, payloads and properties; one message may be larger.
        max_outbound: bytes that wait for a client that does not read; then messages of QoS 0 are dropped.
        max_session_expiry: the longest time that a session outlives its connection, in seconds.
        max_sessions: sessions without a connection; then the one that ends first makes room.
        max_user_sessions: sessions of one user that outlive their connections, in one event loop; who has as
            many, and asks for another one, is refused (0x97). All clients that nobody knows are one user.
        max_stored_topics: topics of one session that lasts of which its place is stored; what it misses in
            others while it is away does not reach it in another process.
        max_stored_filters: bytes of the filters of one session that lasts.
        topic_aliases: how many a client may use.
    """

    connect_timeout: float = 10.0
    max_packet_size: int = 262_144
    max_keep_alive: int = 3600
    max_subscriptions: int = 128
    max_names: int = 20_000
    max_inflight: int = 100
    max_queued: int = 1000
    max_queued_bytes: int = QUEUED_BYTES
    max_outbound: int = 1_048_576
    max_session_expiry: int = 7 * 86_400
    max_sessions: int = 10_000
    max_user_sessions: int = 1000
    max_stored_topics: int = 1000
    max_stored_filters: int = 16_384
    topic_aliases: int = 20

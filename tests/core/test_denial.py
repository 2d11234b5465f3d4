from __future__ import annotations

import pytest

from channels.core.denial import RETRY_AFTER, means_busy, refuse, refuse_busy
from channels.exceptions import ThreadPoolExhausted


class Peer:
    def __init__(self):
        self.received = 0
        self.sent = []

    async def receive(self):
        self.received += 1
        return {"type": "websocket.connect"}

    async def send(self, message):
        self.sent.append(message)


@pytest.mark.parametrize(
    ("scope", "prefix", "received"),
    [
        ({"type": "http"}, "http.response", 0),
        ({"type": "websocket", "extensions": {"websocket.http.response": {}}}, "websocket.http.response", 1),
    ],
)
async def test_an_http_answer_where_there_can_be_one(scope, prefix, received):
    peer = Peer()
    await refuse(scope, peer.receive, peer.send, 404, "Nöt")
    start, body = peer.sent
    assert (start["type"], start["status"], body["type"]) == (f"{prefix}.start", 404, f"{prefix}.body")
    assert (b"content-length", b"4") in start["headers"]
    assert body["body"] == "Nöt".encode()
    assert peer.received == received


async def test_a_tcp_connection_is_closed_without_a_word():
    peer = Peer()
    await refuse({"type": "tcp"}, peer.receive, peer.send, 404, "Not Found")
    assert (peer.sent, peer.received) == ([{"type": "tcp.close"}], 1)


async def test_a_close_code_elsewhere():
    peer = Peer()
    await refuse({"type": "websocket"}, peer.receive, peer.send, 404, "Not Found")
    assert peer.sent == [{"type": "websocket.close", "code": 4404}]


async def test_a_request_without_a_thread_is_told_when_to_come_again(caplog):
    peer = Peer()
    await refuse_busy({"type": "http"}, peer.receive, peer.send, ThreadPoolExhausted("no thread"))
    assert peer.sent[0]["status"] == 503
    assert (b"retry-after", b"%d" % RETRY_AFTER) in peer.sent[0]["headers"]
    assert "http answered with 503. no thread" in caplog.text


def test_what_is_raised_for_want_of_threads():
    exhausted = ThreadPoolExhausted("no thread")
    assert means_busy(exhausted)
    assert means_busy(ExceptionGroup("of receivers", [ValueError("other"), exhausted]))
    assert not means_busy(ExceptionGroup("of receivers", [ValueError("other")]))
    assert not means_busy(ValueError("other"))

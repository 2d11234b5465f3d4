"""Programs that people use at a TCP port: nc, socat, openssl, and a client of Twisted's LineReceiver."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from channels.generic.tcp import AsyncTcpConsumer
from tests.server.helpers import LONG, serve
from tests.support.certificates import make_pair
from tests.support.programs import require

ENDPOINT = ("tcp:port=0:interface=127.0.0.1:app=meters",)
TWISTED = """
import sys
from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

class Meter(LineReceiver):
    def lineReceived(self, line):
        print(line.decode(), flush=True)
        if line == b"hello":
            self.sendLine(b"one")
            self.sendLine(b"two")
        elif line == b"2 two":
            self.sendLine(b"bye")
    def connectionLost(self, reason):
        reactor.stop()

endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1])).connect(Factory.forProtocol(Meter))
reactor.run()
"""


class Meter(AsyncTcpConsumer):
    count = 0

    async def connected(self) -> None:
        await self.send(b"hello")

    async def received(self, message: bytes) -> None:
        if message == b"bye":
            await self.close()
            return
        self.count += 1
        await self.send(b"%d %b" % (self.count, message))


async def said(command: list[str], typed: bytes, **more: Any) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more
    )
    output, _ = await asyncio.wait_for(process.communicate(typed), LONG)
    return output


@pytest.mark.parametrize(
    "command", [["nc", "-N", "127.0.0.1", "{port}"], ["socat", "-t5", "-", "TCP:127.0.0.1:{port}"]]
)
async def test_what_is_typed_is_answered_also_behind_the_half_close(command: list[str]) -> None:
    require(command[0])
    async with serve(Meter.as_asgi(), endpoints=ENDPOINT) as running:
        port = running.server.addresses[0][1]
        answer = await said([word.format(port=port) for word in command], b"one\ntwo\n")
        assert answer == b"hello\r\n1 one\r\n2 two\r\n"


async def test_socat_through_tls_with_a_client_certificate(tmp_path: Path) -> None:
    require("socat")
    pair = make_pair(tmp_path)
    device = make_pair(tmp_path, "meter-7", signed_by=pair)
    async with serve(
        Meter.as_asgi(), endpoints=(f"{pair.endpoint}:app=meters:caCerts={pair.certificate}",)
    ) as running:
        port = running.server.addresses[0][1]
        shown = f"cafile={pair.certificate},cert={device.certificate},key={device.key}"
        address = f"OPENSSL:localhost:{port},{shown}"
        answer = await said(["socat", "-t5", "-,ignoreeof", address], b"one\nbye\n")
        assert answer == b"hello\r\n1 one\r\n"


async def test_openssl_s_client_speaks_tls_and_closes_when_it_is_told(tmp_path: Path) -> None:
    require("openssl")
    pair = make_pair(tmp_path)
    async with serve(Meter.as_asgi(), endpoints=(f"{pair.endpoint}:app=meters",)) as running:
        port = running.server.addresses[0][1]
        address = ["-connect", f"127.0.0.1:{port}", "-CAfile", str(pair.certificate)]
        answer = await said(["openssl", "s_client", "-quiet", *address], b"one\nbye\n")
        assert answer == b"hello\r\n1 one\r\n"


async def test_twisted_line_receiver() -> None:
    async with serve(Meter.as_asgi(), endpoints=ENDPOINT) as running:
        port = str(running.server.addresses[0][1])
        answer = await said([sys.executable, "-c", TWISTED, port], b"")
        assert answer == b"hello\n1 one\n2 two\n"

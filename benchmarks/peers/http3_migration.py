"""Whether connections of HTTP/3 live when their clients change their port, with workers that share theirs.

    python benchmarks/peers/http3_migration.py CERT KEY [workers, default 2] [connections, default 20]

It needs aioquic, and a certificate of any name. Workers have a socket each, by SO_REUSEPORT, and answer with
their process id.
"""

import asyncio
import multiprocessing
import os
import socket
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

HOST, PATIENCE = "127.0.0.1", 4.0
GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/")]


class Peer(QuicConnectionProtocol):
    """Speaks HTTP/3 from the first event on."""

    http = None

    def events(self, event):
        self.http = self.http or H3Connection(self._quic)
        return self.http.handle_event(event)


class Answering(Peer):
    def quic_event_received(self, event):
        for each in self.events(event):
            if isinstance(each, HeadersReceived):
                self.http.send_headers(each.stream_id, [(b":status", b"200")])
                self.http.send_data(each.stream_id, str(os.getpid()).encode(), end_stream=True)
                self.transmit()


class Asking(Peer):
    def ask(self):
        self.http = self.http or H3Connection(self._quic)
        self.answer = asyncio.get_running_loop().create_future()
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, GET, end_stream=True)
        self.transmit()
        return asyncio.wait_for(self.answer, PATIENCE)

    def quic_event_received(self, event):
        for each in self.events(event):
            if isinstance(each, DataReceived) and each.data and not self.answer.done():
                self.answer.set_result(int(each.data))

    async def change_port(self):
        other, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(*self._transport.get_extra_info("sockname")[:1], 0)
        )
        self._transport = other


def bound(port=0):
    made = socket.socket(type=socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((HOST, port))
    return made


def work(port, files, ready):
    async def serve():
        configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
        configuration.load_cert_chain(*files)
        server = QuicServer(configuration=configuration, create_protocol=Answering)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, sock=bound(port))
        ready.release()
        await asyncio.Event().wait()

    asyncio.run(serve())


async def lives(port):
    configuration = QuicConfiguration(
        alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE, server_name="localhost"
    )
    async with connect(HOST, port, configuration=configuration, create_protocol=Asking) as client:
        before = await client.ask()
        await client.change_port()
        try:
            return await client.ask() == before
        except TimeoutError:
            return False


async def main(port, connections):
    return sum(await asyncio.gather(*(lives(port) for _ in range(connections))))


if __name__ == "__main__":
    files, (workers, connections) = sys.argv[1:3], map(int, [*sys.argv[3:], "2", "20"][:2])
    with bound() as probe:
        port = probe.getsockname()[1]
    ready = multiprocessing.Semaphore(0)
    for _ in range(workers):
        multiprocessing.Process(target=work, args=(port, files, ready), daemon=True).start()
    for _ in range(workers):
        ready.acquire(timeout=20)
    print(f"{workers} workers: {asyncio.run(main(port, connections))} of {connections} connections live")

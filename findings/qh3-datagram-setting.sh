#!/bin/sh
# A server of qh3 2.1.0, set up as its documentation shows (QuicConfiguration with ALPN "h3" and a certificate), says in the SETTINGS of HTTP/3
# that it takes HTTP datagrams (H3_DATAGRAM, RFC 9297), and does not send QUIC's parameter that goes with it (max_datagram_frame_size, RFC
# 9221). A client of aioquic 1.7.2 closes such a connection with H3_SETTINGS_ERROR before it has an answer: one would expect 200. What
# the server logs is "packet builder capacity exhausted". With max_datagram_frame_size=65536 in its configuration it answers.
#
# Seen, of one GET, as qh3 is and with that setting:
#   ['H3_SETTINGS_ERROR', '200']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q qh3==2.1.0 aioquic==1.7.2 2>/dev/null
cd "$folder"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=localhost 2>/dev/null
"$folder/venv/bin/python" - 2>/dev/null <<'PROBE'
import asyncio
import socket
import ssl
import sys

import aioquic.asyncio
import qh3.asyncio
from aioquic.h3.connection import ErrorCode
from aioquic.h3.connection import H3Connection as ClientHTTP
from aioquic.h3.events import HeadersReceived as ClientHeaders
from aioquic.quic.configuration import QuicConfiguration as ClientConfiguration
from aioquic.quic.events import ConnectionTerminated
from qh3.h3.connection import H3Connection as ServerHTTP
from qh3.h3.events import HeadersReceived as ServerHeaders
from qh3.quic.configuration import QuicConfiguration as ServerConfiguration
from qh3.quic.events import ProtocolNegotiated


class Server(qh3.asyncio.QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = ServerHTTP(self._quic)
        for each in self.http.handle_event(event) if self.http else ():
            if isinstance(each, ServerHeaders):
                self.http.send_headers(each.stream_id, [(b":status", b"200")], end_stream=True)
                self.transmit()


class Client(aioquic.asyncio.QuicConnectionProtocol):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.http, self.outcome = ClientHTTP(self._quic), asyncio.get_running_loop().create_future()

    def get(self):
        head = ((":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/"))
        stream = self._quic.get_next_available_stream_id()
        fields = [(name.encode(), value.encode()) for name, value in head]
        self.http.send_headers(stream, fields, end_stream=True)
        self.transmit()
        return self.outcome

    def quic_event_received(self, event):
        found = [dict(each.headers)[b":status"].decode() for each in self.http.handle_event(event)
                 if isinstance(each, ClientHeaders)]
        if isinstance(event, ConnectionTerminated):
            found.append(ErrorCode(event.error_code).name)
        if found and not self.outcome.done():
            self.outcome.set_result(found[0])


async def outcome(**settings):
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = ServerConfiguration(is_client=False, alpn_protocols=["h3"], **settings)
    configuration.load_cert_chain("cert.pem", "key.pem")
    await qh3.asyncio.serve("127.0.0.1", port, configuration=configuration, create_protocol=Server)
    client = ClientConfiguration(alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE, server_name="localhost")
    async with aioquic.asyncio.connect("127.0.0.1", port, configuration=client, create_protocol=Client) as made:
        return await asyncio.wait_for(made.get(), 20)


async def main():
    return [await outcome(), await outcome(max_datagram_frame_size=65536)]


seen, expected = asyncio.run(main()), ["H3_SETTINGS_ERROR", "200"]
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected)
PROBE

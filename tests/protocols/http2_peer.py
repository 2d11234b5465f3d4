"""A client for the tests: h2's own for what is well-formed, frames by hand for what is not."""

from h2.config import H2Configuration
from h2.connection import H2Connection

from channels.protocols.http2.connection import HTTP2Connection, HTTP2Limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a")]
POST = [(b":method", b"POST"), *GET[1:]]
WEBSOCKET = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
HELLO = PREFACE + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0))


def frame(kind, flags=0, stream_id=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def headers(stream_id, fields, flags=END_STREAM | END_HEADERS):
    """A HEADERS frame whose block uses no table, so that it means the same anywhere."""
    return frame(HEADERS, flags, stream_id, b"".join(_literal(*field) for field in fields))


def _literal(name, value):
    return b"\0" + _string(name) + _string(value)


def _string(data):
    size = len(data)
    if size < 127:
        return bytes((size,)) + data
    size -= 127
    number = b"\x7f"
    while size >= 128:
        number += bytes((size % 128 | 128,))
        size //= 128
    return number + bytes((size,)) + data


def events_of(connection, *pieces):
    events = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            events.append(event)
    return events


def frames_of(data):
    """What we sent: (kind, flags, stream_id, payload)."""
    frames = []
    while data:
        end = 9 + int.from_bytes(data[:3], "big")
        frames.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:end]))
        data = data[end:]
    return frames


def started(limits=HTTP2Limits()):  # noqa: B008
    """A connection on which the formalities are over."""
    connection = HTTP2Connection(limits)
    assert events_of(connection, HELLO) == []
    connection.data_to_send()
    return connection


class Peer:
    """h2's client and our server, connected."""

    def __init__(self, limits=HTTP2Limits()):  # noqa: B008
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.server = HTTP2Connection(limits)
        self.client.initiate_connection()
        self.told = []
        self.heard = []
        self.exchange()
        self.told.clear()
        self.heard.clear()

    def exchange(self):
        """Let bytes go both ways until none are left; returns what the server and the client were told."""
        while True:
            up = self.client.data_to_send()
            if up:
                self.told += events_of(self.server, up)
            down = self.server.data_to_send()
            if down:
                self.heard += self.client.receive_data(down)
            if not up and not down:
                told, heard, self.told, self.heard = self.told, self.heard, [], []
                return told, heard

    def request(self, stream_id, fields=GET, *, ended=True):
        self.client.send_headers(stream_id, fields, end_stream=ended)
        return self.exchange()[0]

"""Whatever comes: the same answer in whatever pieces, from either engine, and never an exception."""

from itertools import pairwise

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from channels.protocols.http1.connection import HTTP1Connection
from tests.fuzz.budget import quick
from tests.fuzz.http1_outcome import told

LINES = [
    *(
        b"GET / HTTP/1.1",
        b"POST /a?b HTTP/1.1",
        b"HEAD /%41 HTTP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"GET http://a/ HTTP/1.1",
    ),
    *(
        b"PRI * HTTP/2.0",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"G\xe9T / HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1",
    ),
    *(b"GET / HTTP/1.9", b"GET /" + b"a" * 60 + b" HTTP/1.1", b"", b" ", b"A" * 40 + b" / HTTP/1.1"),
]
FIELDS = [
    *(b"Host: a", b"Host: b:80", b"host:", b"Host: a b", b"Host: [::1]"),
    *(
        b"Content-Length: 3",
        b"Content-Length: 4",
        b"content-length: 0",
        b"Content-Length: 3, 3",
        b"Content-Length: +3",
    ),
    *(b"Transfer-Encoding: chunked", b"transfer-encoding: CHUNKED", b"Transfer-Encoding: gzip, chunked"),
    *(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding : chunked"),
    *(
        b"Connection: close",
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
    ),
    *(
        b"Expect: x",
        b"X: y",
        b"X:\ty ",
        b" folded",
        b"\tfolded",
        b"X",
        b": y",
        b"X: \x00",
        b"X: \x0b",
        b"X: \x85",
        b"X: \xc3\xa4",
    ),
    *(b"X: " + b"y" * 400, b"X: a\rb", b"X: a\nb", b"X\r: y", b"Content-Length : 3"),
]
BODIES = [
    *(
        b"abc",
        b"abcd",
        b"",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
    ),
    *(
        b"03\r\nabc\r\n000\r\n\r\n",
        b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
        b"x\r\n",
        b"3\r\nabcd\r\n",
        b"0\r\nHost: a\r\n\r\n",
    ),
    *(b"3;\x85\r\nabc\r\n0\r\n\r\n", b"0\r\nA: b\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n", b"0\r\nA : b\r\n\r\n"),
    *(
        b"3;a\x01\r\nabc\r\n",
        b"10000000000000003\r\nabc\r\n",
        b"0\r\nA: \xe4 \t\r\nB:\r\n\r\n",
        b"3\r\nabc\n0",
    ),
    *(b"0\r\nA\r\n\r\n", b"0\r\n A: b\r\n\r\n", b"-1\r\n", b"\r\n", b"3\r\nab"),
]
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b""])

heads = st.tuples(st.sampled_from(LINES), st.lists(st.sampled_from(FIELDS), max_size=9), ENDS).map(
    lambda parts: b"\r\n".join((parts[0], *parts[1])) + parts[2] + b"\r\n"
)
good_heads = st.lists(st.sampled_from(FIELDS[5:]), max_size=3).map(
    lambda fields: b"\r\n".join((b"POST / HTTP/1.1", b"Host: a", *fields)) + b"\r\n\r\n"
)
streams = st.lists(
    st.tuples(
        st.sampled_from([b""] * 5 + [b"\r\n", b"\r\n\r\n", b"\n"]),
        heads | good_heads,
        st.sampled_from(BODIES),
    ),
    min_size=1,
    max_size=3,
).map(lambda messages: b"".join(b"".join(message) for message in messages))


def mangled(data, changes):
    result = bytearray(data)
    for position, byte in changes:
        result[position % len(result)] = byte
    return bytes(result)


changes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=2)
peers = st.builds(mangled, streams, changes) | st.binary(max_size=100)


@quick
@given(peers, st.sampled_from(["zttp", "h11"]), st.lists(st.integers(0, 1000), max_size=4))
def test_the_pieces_do_not_matter(data, engine, cuts):
    whole = told(engine, [data] if data else [])
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places) if a < b]
    assert told(engine, pieces) == whole
    assert told(engine, [data[i : i + 1] for i in range(len(data))]) == whole


@quick
@given(peers)
@example(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n")
def test_both_engines_tell_the_same(data):
    fast, proven = told("zttp", [data] if data else []), told("h11", [data] if data else [])
    assert fast == proven


# The writing half, read by h11 as the client

names = st.sampled_from(
    [b"x", b"X-Y", b"content-type", b"date", b"Set-Cookie", b"connection", b"content-length"]
)
values = st.sampled_from([b"", b"a", b"a, b", b"close", b"keep-alive", b"3", b"0"])
# Other controls are not refused in values: RFC 9110 5.5 lets a recipient take them, h11 does not.
anything = st.text("aZ0-:,; \t\r\n\0(ä", max_size=4).map(str.encode)
response_headers = st.lists(st.tuples(names | anything, values | anything), max_size=4)
responses = st.tuples(
    st.sampled_from([b"GET", b"HEAD"]),
    st.sampled_from([b"1.0", b"1.1"]),
    st.sampled_from([200, 204, 304, 404, 205, 299]),
    response_headers,
    st.lists(st.binary(max_size=5), max_size=3),
)


@quick
@given(responses)
def test_a_client_reads_what_was_written(response):
    method, version, status, headers, body = response
    server = HTTP1Connection()
    server.receive_data(b"%b / HTTP/%b\r\nHost: a\r\n\r\n" % (method, version))
    server.next_event()
    sent = []
    try:
        server.send_response(status, headers)
        for part in body:
            server.send_data(part)
            sent.append(part)
        server.end_message()
        complete = True
    except ValueError:
        complete = False
    output = server.data_to_send()
    if not output:
        return
    head, received, ended = read_by_client(method, output, closed=complete and not server.keep_alive)
    assert head.status_code == status
    given_names = {name.lower() for name, _ in headers}
    assert given_names - FRAMING == {name for name, _ in head.headers} - FRAMING
    assert received == (b"" if method == b"HEAD" or status in (204, 304) else b"".join(sent))
    assert ended or not complete


FRAMING = {b"connection", b"content-length", b"transfer-encoding"}


def read_by_client(method, data, *, closed):
    """The head, the body, and whether the client saw the end of it, and nothing behind."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    if closed:
        client.receive_data(b"")
    head, body = client.next_event(), b""
    while type(event := client.next_event()) is h11.Data:
        body += bytes(event.data)
    return head, body, type(event) is h11.EndOfMessage and not client.trailing_data[0]

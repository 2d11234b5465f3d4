"""Inputs for the HTTP/1.1 fuzzer: requests from a grammar, bent where parsers are known to disagree."""

from __future__ import annotations

from random import Random

LINES = [
    *(b"GET / HTTP/1.1", b"POST /a?b=c HTTP/1.1", b"HEAD /%41 HTTP/1.0", b"OPTIONS * HTTP/1.1"),
    *(b"GET http://a/x HTTP/1.1", b"PUT //b/../c HTTP/1.1", b"POST / HTTP/1.0", b"PRI * HTTP/2.0"),
    *(b"CONNECT a:1 HTTP/1.1", b"GET /" + b"a" * 60 + b" HTTP/1.1", b"GET / HTTP/1.9", b'GET /"a HTTP/1.1'),
]
NAMES = [
    *(b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"TE"),
    *(b"Cookie", b"Authorization", b"X", b"X_Y", b"Trailer", b"Sec-WebSocket-Key", b"HTTP2-Settings"),
]
VALUES = [
    *(b"a", b"a:80", b"[::1]:8", b"a, a", b"u@a", b"", b" ", b"\t", b"0", b"3", b"4", b"03", b"+3", b"3, 3"),
    *(b"-1", b"0x3", b"3 3", b"18446744073709551619", b"999999999999999999", b"9" * 40, b"3;", b"\xb3"),
    *(b"chunked", b"CHUNKED", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked, chunked"),
    *(b"chunked;q=1", b",chunked", b"chunked,", b'"chunked"', b"chunked\x0b", b"\x0cchunked", b"x chunked"),
    *(b"close", b"keep-alive", b"keep-alive, close", b"Upgrade", b"upgrade, HTTP2-Settings", b"te, close"),
    *(b"websocket", b"h2c", b"h2c, websocket", b"x/1", b"100-continue", b"100-Continue", b"wonders"),
    *(b"trailers", b"dGhlIHNhbXBsZSBub25jZQ==", b"a=b; c=d", b"\xc3\xa4", b"\x85", b"a" * 400),
]
SIZES = [
    *(
        b"3",
        b"03",
        b"0003",
        b"3 ",
        b"3\t",
        b" 3",
        b"3;x=y",
        b'3;x="\\y"',
        b"3;\x01",
        b"3;\x85",
        b"0x3",
        b"+3",
    ),
    *(b"-3", b"3_", b"4", b"2", b"x", b"", b"f" * 16, b"f" * 17, b"7" + b"f" * 15, b"0" * 16 + b"3"),
]
TRAILERS = [
    *(b"A: b", b"A:", b"A : b", b"A", b": b", b"Host: a", b"Content-Length: 3", b"A: b\r\n c", b"A: \x00"),
    *(b"Content-Type: a", b"Cookie: a", b"A: \x85"),
]
ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b" \r\n", b"", b"\x0b\r\n"]
BYTES = [bytes((n,)) for n in (0, 8, 9, 10, 11, 12, 13, 32, 34, 44, 58, 59, 92, 127, 133, 160, 255)]
GOOD = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n"
    b"3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x80abcd",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMA\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, br\r\nCookie: sessionid=abc; csrftoken=d\r\nAuthorization: Bearer x.y.z\r\n\r\n",
]


def make(random: Random, corpus: list[bytes]) -> bytes:
    """One input: a request or some, well-formed, from the grammar or seen before, and bent a little."""
    messages = [_message(random, corpus) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
        at = random.randrange(len(messages))
        messages[at] = random.choice(BENDS)(random, messages[at])
    return b"".join(messages)


def _message(random: Random, corpus: list[bytes]) -> bytes:
    kind = random.random()
    if kind < 0.3:
        return random.choice(GOOD)
    if kind < 0.6 and corpus:
        return random.choice(corpus)
    return _from_grammar(random)


def _from_grammar(random: Random) -> bytes:
    fields = [b"Host: a"] * (random.random() < 0.9)
    fields += [_field(random) for _ in range(random.randrange(4))]
    framing = random.choice((None, b"Content-Length: 3", b"Transfer-Encoding: chunked"))
    if framing:
        fields.insert(random.randrange(len(fields) + 1), framing)
    head = b"\r\n".join((random.choice(LINES), *fields, b"", b""))
    if framing is None:
        return head
    return head + (_chunks(random) if framing.endswith(b"chunked") else b"abc")


def _field(random: Random) -> bytes:
    separator = random.choice((b": ",) * 8 + (b":", b":\t", b" : ", b"\t:", b":\r\n ", b"::"))
    return random.choice(NAMES) + separator + random.choice(VALUES)


def _chunks(random: Random) -> bytes:
    sizes = [b"3" if random.random() < 0.7 else random.choice(SIZES) for _ in range(random.randrange(3))]
    trailers = [random.choice(TRAILERS) for _ in range(random.choice((0, 0, 0, 1, 2)))]
    return b"".join(b"%b\r\nabc\r\n" % size for size in sizes) + b"\r\n".join((b"0", *trailers, b"", b""))


def _at(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _change_byte(random: Random, data: bytes) -> bytes:
    at = _at(random, data)
    return data[:at] + bytes((random.randrange(256),)) + data[at + 1 :]


def _insert(random: Random, data: bytes) -> bytes:
    at = _at(random, data)
    return data[:at] + random.choice(BYTES) + data[at:]


def _cut_out(random: Random, data: bytes) -> bytes:
    at = _at(random, data)
    return data[:at] + data[at + random.randrange(1, 8) :]


def _end_line(random: Random, data: bytes) -> bytes:
    """Another end for one line."""
    lines = data.split(b"\r\n")
    at = random.randrange(len(lines))
    return b"\r\n".join(lines[:at]) + (random.choice(ENDS) if at else b"") + b"\r\n".join(lines[at:])


def _move_line(random: Random, data: bytes) -> bytes:
    """One line twice, gone, or elsewhere."""
    lines = data.split(b"\r\n")
    line = lines[random.randrange(len(lines))]
    if random.random() < 0.5:
        lines.remove(line)
    lines.insert(random.randrange(len(lines) + 1), line)
    return b"\r\n".join(lines)


def _add_field(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randrange(1, len(lines) + 1), _field(random))
    return b"\r\n".join(lines)


def _set_value(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = random.randrange(len(lines))
    lines[at] = lines[at].partition(b":")[0] + b": " + random.choice(VALUES)
    return b"\r\n".join(lines)


def _swap_case(random: Random, data: bytes) -> bytes:
    at = _at(random, data)
    return data[:at] + data[at : at + 12].swapcase() + data[at + 12 :]


def _repeat(random: Random, data: bytes) -> bytes:
    """A part of it many times: what is near a limit."""
    at, size = _at(random, data), random.randrange(1, 20)
    return data[:at] + data[at : at + size] * random.choice((2, 2, 10, 100, 1000)) + data[at:]


BENDS = [_change_byte, _insert, _cut_out, _end_line, _move_line, _add_field, _set_value, _swap_case]
BENDS = [*BENDS * 4, _repeat]

"""What a well-formed request head means, and what of it we refuse (RFC 9110, RFC 9112).

Pure functions over the fields of one head. They know no engine: each engine's gaps are closed here, and the
status of a refusal is found from the bytes, so that the answer does not depend on who read them.
"""

from __future__ import annotations

import re

from channels.core.bounded_cache import BoundedCache
from channels.protocols.events import Headers, RequestReceived
from channels.protocols.http.abnf import REQUEST_LINE, is_host, is_length, list_elements
from channels.protocols.http.malformed import MalformedMessage, RawHead, has_forbidden_bytes

#: Body length of a request in chunks: only its end tells.
CHUNKED = -1

#: What a refused head says of a client that speaks TLS to a port in clear text.
TLS_TO_CLEAR_TEXT = "this port speaks clear text, and the client TLS"
#: How a record of a TLS handshake begins (RFC 8446 5.1): its type, and the major version.
_TLS_HANDSHAKE = b"\x16\x03"

# The target has its limit; what the rest of the request line may take beside it.
_MAX_METHOD = 32
_SLASH = 0x2F
_NO_OPTIONS: frozenset[bytes] = frozenset()
_MAX_LINE_BESIDE_TARGET = _MAX_METHOD + len(b"  HTTP/1.1")

is_plain_target = re.compile(rb"[\x21\x22\x24-\x7e]*").fullmatch  # all of US-ASCII but controls and "#"
_ABSOLUTE = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE).fullmatch
_REQUEST_LINE = re.compile(REQUEST_LINE).match
_TRANSFER_ENCODING = re.compile(rb"\r\nTransfer-Encoding:([^\r]*)", re.IGNORECASE)
_HOST_FIELD = re.compile(rb"\r\nHost:([^\r]*)", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"\r\nContent-Length:", re.IGNORECASE)
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding"})
_NOT_IN_TRAILERS = _SINGLE | {
    b"connection",
    b"upgrade",
    b"expect",
    b"te",
    b"trailer",
    b"authorization",
    b"cookie",
}


def _tokens(value: bytes) -> frozenset[bytes]:
    return frozenset(list_elements(value.lower()))


#: Splits a list of tokens such as the value of Connection; lowercased, without empty ones.
tokens = BoundedCache("protocols.token_lists", 64, _tokens).__getitem__


def scan_head(
    data: bytes | bytearray, start: int, max_target: int, max_bytes: int
) -> MalformedMessage | None:
    """Look for what no head may have, in a head or in as much of it as there is.

    Args:
        data: from the first byte of the head on.
        start: what lies before was screened in an earlier call; the CR LF that ends there is looked at again.
        max_target: bytes of a request target.
        max_bytes: bytes of a head.

    Returns:
        The refusal that the earliest offending byte calls for, or None.
    """
    line_end = data.find(b"\r\n")
    max_line = max_target + _MAX_LINE_BESIDE_TARGET
    limit, error = max_bytes, MalformedMessage(431, f"the request head is larger than {max_bytes} bytes")
    # A CR at the end may be the end of the line, of which the LF is still to come.
    if (line_end if line_end >= 0 else len(data) - data.endswith(b"\r")) > max_line:
        limit, error = (
            max_line,
            MalformedMessage(414, f"the request target is longer than {max_target} bytes"),
        )
    first = max(0, start - 2)
    if first and data[first] == 0x0A:  # do not tear a CR LF apart
        first -= 1
    if has_forbidden_bytes(data[first:limit]):
        is_tls = data.startswith(_TLS_HANDSHAKE)
        return MalformedMessage(
            400, TLS_TO_CLEAR_TEXT if is_tls else "forbidden character in the request head"
        )
    return error if len(data) > limit else None


def explain_rejection(head: bytes, max_target: int, max_headers: int) -> MalformedMessage:
    """Say why a head that an engine does not take is refused.

    The status comes from the bytes alone, in the order in which :func:`interpret_head` looks at
    what engines take.
    """
    line = _REQUEST_LINE(head)
    if line is None:
        return MalformedMessage(400, "malformed request line")
    try:
        _check_line(line[1], line[2], head.count(b"\r\n") - 2, max_target, max_headers)
    except MalformedMessage as error:
        return error
    return _field_refusal(head, modern=line[2] != b"1.0")


def _check_line(target: bytes, version: bytes, count: int, max_target: int, max_headers: int) -> None:
    if not is_plain_target(target):
        raise MalformedMessage(400, "forbidden character in the request target")
    if version[:2] != b"1.":
        raise MalformedMessage(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if count > max_headers:
        raise MalformedMessage(431, f"the request head has more than {max_headers} fields")
    if len(target) > max_target:
        raise MalformedMessage(414, f"the request target is longer than {max_target} bytes")


def _field_refusal(head: bytes, *, modern: bool) -> MalformedMessage:
    hosts = _HOST_FIELD.findall(head)
    if len(hosts) != 1 or not is_host(hosts[0].strip(b" \t")):
        return MalformedMessage(400, "Host is missing, repeated or no host name")
    codings = _TRANSFER_ENCODING.findall(head)
    if not codings or not modern or codings[0].strip(b" \t").lower() == b"chunked":
        return MalformedMessage(400, "malformed request head")
    if len(codings) > 1 or _CONTENT_LENGTH.search(head):
        return MalformedMessage(400, "ambiguous message framing")
    return _coding_refusal(codings[0])


def interpret_head(
    raw: RawHead, stream_id: int, max_target: int, max_headers: int
) -> tuple[RequestReceived, int, bool]:
    """Decide what a well-formed head means.

    Returns:
        The event, the length of the body in bytes (or :data:`CHUNKED`), and whether the peer lets
        the connection live on after this request.

    Raises:
        MalformedMessage: a strict server does not serve this request.

    See RFC 9112 sections 3, 6 and 9.
    """
    method, target, version, headers = raw
    if (
        version != b"1.1"
        or len(headers) > max_headers
        or len(target) > max_target
        or not is_plain_target(target)
    ):
        _check_line(target, version, len(headers), max_target, max_headers)
    modern = version != b"1.0"  # a higher minor version is answered as 1.1 (RFC 9110 2.5)
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = _combine(headers)
    host = fields.get(b"host")
    if host is None or not is_host(host):
        _check_host(host, modern)
    framed = b"content-length" in fields or b"transfer-encoding" in fields
    length = _body_length(fields, modern) if framed else 0
    if len(method) > _MAX_METHOD or method == b"CONNECT":
        raise MalformedMessage(501, "method not implemented")
    if target[0] != _SLASH:
        target = _origin_form(method, target, host)
    options = tokens(fields[b"connection"]) if b"connection" in fields else _NO_OPTIONS
    event = RequestReceived(
        stream_id, method.decode("ascii"), target, headers, "1.1" if modern else "1.0", length == 0
    )
    if modern and length and b"expect" in fields:
        event.expects_continue = _judge_expectation(fields[b"expect"])
    if b"upgrade" in options and event.ended:
        event.upgrade = _upgrade_token(fields.get(b"upgrade", b""), modern)
    return event, length, b"close" not in options and (modern or b"keep-alive" in options)


def judge_trailers(trailers: Headers) -> None:
    """Refuse trailers that would change what was said in the head (RFC 9110 6.5.1).

    Raises:
        MalformedMessage: framing, routing or credentials in a trailer, or a forbidden character.
    """
    for name, value in trailers:
        if name in _NOT_IN_TRAILERS or has_forbidden_bytes(value) or b"\r" in value:
            raise MalformedMessage(400, "forbidden field in the trailers")


def _combine(headers: Headers) -> dict[bytes, bytes]:
    """Join repeated fields to lists (RFC 9110 5.2); those that decide who reads what must not repeat."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in fields:
            fields[name] = value
        elif name in _SINGLE:
            raise MalformedMessage(400, f"repeated {name.decode('ascii')} header")
        else:
            fields[name] += b", " + value
    return fields


def _body_length(fields: dict[bytes, bytes], modern: bool) -> int:
    """The length that Content-Length or Transfer-Encoding says; one of them is there."""
    coding = fields.get(b"transfer-encoding")
    if coding is None:
        length = fields[b"content-length"]
        if not is_length(length):
            raise MalformedMessage(400, "Content-Length is no number")
        return int(length)
    # RFC 9112 6.1: such a message from HTTP/1.0 was probably forged past a proxy that knows no codings.
    if not modern:
        raise MalformedMessage(400, "Transfer-Encoding in HTTP/1.0")
    if b"content-length" in fields:
        raise MalformedMessage(400, "ambiguous message framing")
    if coding.lower() != b"chunked":
        raise _coding_refusal(coding)
    return CHUNKED


def _coding_refusal(codings: bytes) -> MalformedMessage:
    """Say why codings are refused: a body whose last one is not "chunked" has no end (RFC 9112 6.3)."""
    names = [part.strip(b" \t").lower() for part in codings.split(b",")]
    if names[-1] == b"chunked" and all(names) and names.count(b"chunked") == 1:
        return MalformedMessage(501, "no transfer coding but chunked is implemented")
    return MalformedMessage(400, "ambiguous message framing")


def _check_host(host: bytes | None, modern: bool) -> None:
    if host is not None:
        raise MalformedMessage(400, "Host is no host name")
    if modern:
        raise MalformedMessage(400, "Host is missing or repeated")


def _origin_form(method: bytes, target: bytes, host: bytes | None) -> bytes:
    """Reduce the absolute form to the path (RFC 9112 3.2)."""
    if target == b"*" and method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE(target)
    if absolute is None:
        raise MalformedMessage(400, "malformed request target")
    authority, path = absolute.groups()
    # RFC 9112 3.2.2 lets us believe the target; a proxy before us may have believed the Host.
    if not is_host(authority) or (host is not None and authority.lower() != host.lower()):
        raise MalformedMessage(400, "the request target names another host than Host")
    if path[:1] != b"/":
        return b"*" if not path and method == b"OPTIONS" else b"/" + path
    return path


def _judge_expectation(expectation: bytes) -> bool:
    if expectation.lower() != b"100-continue":
        raise MalformedMessage(417, "the only expectation that can be met is 100-continue")
    return True


def _upgrade_token(offered: bytes, modern: bool) -> bytes:
    """The protocol to change to; among several WebSocket, the one we can open.

    RFC 9110 7.8: Upgrade means nothing in HTTP/1.0. An attempt to open a WebSocket there is told all the
    same, so that its handshake is refused instead of being served as a page.
    """
    if b"websocket" in tokens(offered):
        return b"websocket"
    return offered.split(b",")[0].strip(b" \t").lower() if modern else b""

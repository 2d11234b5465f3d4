"""What the fields of an HTTP/2 request mean, and what of it we refuse (RFC 9113 section 8, RFC 8441).

Pure functions. The engine decodes HPACK; its own checks of fields are switched off, because it ends the
connection, and with it everybody's requests, where the standard asks for an error of one stream.
"""

from __future__ import annotations

from collections.abc import Iterable

from channels.core.bounded_cache import BoundedCache
from channels.protocols.events import Headers, RequestReceived
from channels.protocols.http.abnf import is_host, is_length, is_lowercase_name, is_token
from channels.protocols.http.fields import (
    UNSENDABLE,
    ResponseFields,
    check_value,
    checked_lowercase,
    kinds_of,
)
from channels.protocols.http.malformed import MalformedMessage, has_forbidden_bytes
from channels.protocols.http.semantics import is_plain_target, judge_trailers

_MAX_METHOD = 32
_MAX_KNOWN = 64  # bytes of a name that is worth remembering
_FIELD_OVERHEAD = 32  # RFC 9113 6.5.2: how the size of a header list is counted
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})
_REQUIRED = frozenset({b":method", b":scheme", b":path"})
_SINGLE = frozenset({b"host", b"content-length"})
#: RFC 9113 8.2.2: they speak of one connection, and HTTP/2 says these things in frames.
_CONNECTION_SPECIFIC = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
#: RFC 9113 8.2.2 allows TE in requests alone.
_UNSENT = _CONNECTION_SPECIFIC | {b"te"}


class MalformedRequest(Exception):
    """Such a request must not be understood (RFC 9113 8.1.1): its stream is reset with PROTOCOL_ERROR.

    Args:
        reason: one sentence; never the peer's bytes.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def header_list_size(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """Count the bytes of fields as RFC 9113 6.5.2 does."""
    return sum([len(name) + len(value) + _FIELD_OVERHEAD for name, value in fields])


def judge_request(stream_id: int, fields: Headers, ended: bool, max_target: int) -> RequestReceived:
    """Decide what the fields of a request mean.

    Args:
        stream_id: which stream they came on.
        fields: as they were decoded, pseudo-header fields first.
        ended: nothing follows them.
        max_target: bytes of a target.

    Raises:
        MalformedRequest: they break the rules of HTTP/2.
        MalformedMessage: a strict server does not serve this request; with the status that says so.
    """
    pseudo, headers = _split(fields)
    method = pseudo.get(b":method", b"")
    if not is_token(method):
        raise MalformedRequest("the method is missing or no token")
    protocol = pseudo.get(b":protocol")
    if protocol is not None and method != b"CONNECT":
        raise MalformedRequest(":protocol without CONNECT")
    if len(method) > _MAX_METHOD or (method == b"CONNECT" and protocol != b"websocket"):
        raise MalformedMessage(501, "method not implemented")
    if not pseudo.keys() >= _REQUIRED:
        raise MalformedRequest("a pseudo-header field is missing")
    target = _judge_target(pseudo[b":path"], method, max_target)
    if pseudo[b":scheme"] not in (b"http", b"https"):
        raise MalformedMessage(400, "only http and https are served here")
    headers = _judge_fields(headers, pseudo.get(b":authority"), ended)
    return RequestReceived(
        stream_id,
        method.decode("ascii"),
        target,
        headers,
        "2",
        ended,
        not ended and _expects_continue(headers),
        protocol or b"",
        pseudo[b":scheme"],
    )


def judge_trailing_fields(fields: Headers) -> Headers:
    """Judge the fields behind a body (RFC 9113 8.1).

    Raises:
        MalformedRequest: pseudo-header fields, framing, routing or credentials are among them.
    """
    pseudo, trailers = _split(fields)
    if pseudo:
        raise MalformedRequest("a pseudo-header field in the trailers")
    try:
        judge_trailers(trailers)
    except MalformedMessage as error:
        raise MalformedRequest(error.reason) from None
    return trailers


def _split(fields: Headers) -> tuple[dict[bytes, bytes], Headers]:
    """Take the pseudo-header fields off, and look at what no field may have (RFC 9113 8.2.1 and 8.3)."""
    pseudo: dict[bytes, bytes] = {}
    headers: Headers = []
    for name, value in fields:
        if value and (value[0] in b" \t" or value[-1] in b" \t"):
            raise MalformedRequest("white space around the value of a field")
        if name[:1] != b":":
            headers.append((_known_names[name] if len(name) <= _MAX_KNOWN else _checked_name(name), value))
        elif headers or name in pseudo or name not in _PSEUDO:
            raise MalformedRequest("a pseudo-header field that is repeated, unknown or out of place")
        else:
            pseudo[name] = value
    values = b"".join([value for _, value in fields])
    if has_forbidden_bytes(values) or b"\r" in values:
        raise MalformedRequest("forbidden character in a field")
    return pseudo, headers


def _checked_name(name: bytes) -> bytes:
    if not is_lowercase_name(name):
        raise MalformedRequest("the name of a field is not a lowercase token")
    if name in _CONNECTION_SPECIFIC:
        raise MalformedRequest("a field that speaks of one HTTP/1.1 connection")
    return name


_known_names: BoundedCache[bytes, bytes] = BoundedCache("protocols.http2_names", 512, _checked_name)


def _judge_target(path: bytes, method: bytes, max_target: int) -> bytes:
    if path[:1] != b"/" and not (path == b"*" and method == b"OPTIONS"):
        raise MalformedRequest("the path does not begin with a slash")
    if not is_plain_target(path):
        raise MalformedMessage(400, "forbidden character in the request target")
    if len(path) > max_target:
        raise MalformedMessage(414, f"the request target is longer than {max_target} bytes")
    return path


def _judge_fields(headers: Headers, authority: bytes | None, ended: bool) -> Headers:
    """Judge the fields that decide who reads what, and make Host and Cookie what HTTP/1.1 knows."""
    fields = dict(headers)
    if len(fields) != len(headers):
        _check_repeated(headers)
    if fields.get(b"te", b"trailers").lower() != b"trailers":
        raise MalformedRequest("TE may only be trailers")
    if b"content-length" in fields:
        _check_length(fields[b"content-length"], ended)
    host = fields.get(b"host")
    if authority is None:
        authority = host
    elif host is not None and host.lower() != authority.lower():
        raise MalformedMessage(400, "Host and :authority name different hosts")
    if authority is None or not is_host(authority):
        raise MalformedMessage(400, "the host is missing or no host name")
    headers = [(b"host", authority), *((name, value) for name, value in headers if name != b"host")]
    return _join_cookies(headers) if b"cookie" in fields else headers


def _check_length(length: bytes, ended: bool) -> None:
    if not is_length(length):
        raise MalformedRequest("a Content-Length that is no number")
    if ended and length.strip(b"0"):
        raise MalformedRequest("a Content-Length without a body")


def _check_repeated(headers: Headers) -> None:
    names = [name for name, _ in headers]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise MalformedRequest(f"repeated {name.decode('ascii')}")


def _join_cookies(headers: Headers) -> Headers:
    """Join the fields of Cookie into one, in the place of the first (RFC 9113 8.2.3)."""
    crumbs = [value for name, value in headers if name == b"cookie"]
    if len(crumbs) == 1:
        return headers
    place = headers.index((b"cookie", crumbs[0]))
    rest = [field for field in headers if field[0] != b"cookie"]
    return [*rest[:place], (b"cookie", b"; ".join(crumbs)), *rest[place:]]


def _expects_continue(headers: Headers) -> bool:
    expectation = dict(headers).get(b"expect")
    if expectation is None:
        return False
    if expectation.lower() != b"100-continue":
        raise MalformedMessage(417, "the only expectation that can be met is 100-continue")
    return True


def outgoing_fields(headers: Headers) -> Headers:
    """Make fields of an answer fit for HTTP/2: names lowercased, those that speak of a connection left out.

    Raises:
        ValueError: a name or value cannot be sent; the message names it.
        TypeError: a header is not a pair of bytes.
    """
    try:
        fields = [(name, value) for header, value in headers if (name := _outgoing_names[header])]
        block = b"".join([value for _, value in fields])
    except TypeError:
        raise TypeError(f"Headers are (name, value) pairs of bytes, not {kinds_of(headers)}.") from None
    if not UNSENDABLE.isdisjoint(block):
        for name, value in fields:
            check_value(name, value)
    return fields


def _outgoing_name(name: bytes) -> bytes:
    """The name as it is sent, b"" for a field that is not."""
    lowered = checked_lowercase(name)
    return b"" if lowered in _UNSENT else lowered


_outgoing_names: BoundedCache[bytes, bytes] = BoundedCache(
    "protocols.http2_outgoing_names", 512, _outgoing_name
)


def _outgoing_of(fields: ResponseFields) -> Headers:
    return [field for field in outgoing_fields([*fields.headers]) if field[0] != b"content-length"]


#: The fields of whole responses as HTTP/2 has them, but for their length.
outgoing_of: BoundedCache[ResponseFields, Headers] = BoundedCache(
    "protocols.http2_response_fields", 512, _outgoing_of
)

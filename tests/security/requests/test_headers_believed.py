"""What a client may claim in its headers, and what of it the application believes."""

from __future__ import annotations

import pytest

from tests.conformance.http1_cases import get
from tests.security.way import Way

CLOSE = b"Connection: close"
#: What the client sends; which header the application is asked for; what it has there directly, behind nginx
#: and behind HAProxy. "" means that there is no such header.
BELIEVED: dict[str, tuple[list[bytes], str, tuple[str, str, str]]] = {
    "an address": (
        [b"X-Forwarded-For: 203.0.113.9"],
        "x-forwarded-for",
        ("203.0.113.9", "203.0.113.9, 127.0.0.1", "127.0.0.1"),
    ),
    "an address that is no address": (
        [b"X-Forwarded-For: unix, <b>"],
        "x-forwarded-for",
        ("unix, <b>", "unix, <b>, 127.0.0.1", "127.0.0.1"),
    ),
    "an address that Connection takes away": (
        [b"X-Forwarded-For: 203.0.113.9", b"Connection: close, X-Forwarded-For"],
        "x-forwarded-for",
        ("203.0.113.9", "203.0.113.9, 127.0.0.1", "127.0.0.1"),
    ),
    "an address in a name with underscores": (
        [b"X_Forwarded_For: 203.0.113.9"],
        "x_forwarded_for",
        ("", "", ""),
    ),
    "a scheme": ([b"X-Forwarded-Proto: http"], "x-forwarded-proto", ("http", "https", "https")),
    "a scheme that Connection takes away": (
        [b"Connection: close, X-Forwarded-Proto"],
        "x-forwarded-proto",
        ("", "https", "https"),
    ),
    "a scheme in a name with underscores": ([b"X_Forwarded_Proto: http"], "x_forwarded_proto", ("", "", "")),
    "a port": ([b"X-Forwarded-Port: 7"], "x-forwarded-port", ("7", "", "")),
    "a host": ([b"X-Forwarded-Host: b.example"], "x-forwarded-host", ("b.example", "", "")),
    "Forwarded": (
        [b"Forwarded: for=203.0.113.9;proto=http"],
        "forwarded",
        ("for=203.0.113.9;proto=http", "", ""),
    ),
    "a root path": ([b"Daphne-Root-Path: /evil"], "daphne-root-path", ("", "", "")),
    "a root path with underscores": ([b"Daphne_Root_Path: /evil"], "daphne_root_path", ("", "", "")),
    "a user with underscores": ([b"Remote_User: root"], "remote_user", ("", "", "")),
    "a length with underscores": ([b"Content_Length: 5"], "content_length", ("", "", "")),
    "a coding with underscores": ([b"Transfer_Encoding: chunked"], "transfer_encoding", ("", "", "")),
}


@pytest.mark.parametrize("name", BELIEVED)
def test_what_is_believed(open_way: Way, name: str) -> None:
    fields, header, columns = BELIEVED[name]
    closes = [CLOSE] * (not any(field.startswith(b"Connection") for field in fields))
    result = open_way.send(get(*fields, *closes))
    (seen,) = result.seen
    assert seen.headers.get(header, "") == columns[["direct", "nginx", "haproxy"].index(open_way.name)]
    assert seen.client == "127.0.0.1"
    assert seen.scope["scheme"] == ("https" if result.through else "http")
    assert seen.scope["root_path"] == ""
    assert seen.scope["path"] == "/"


def test_a_proxy_header_is_no_request(open_way: Way) -> None:
    """What the PROXY protocol would say comes before HTTP, and is believed only where it is switched on."""
    result = open_way.send(b"PROXY TCP4 203.0.113.9 203.0.113.8 1 2\r\n" + get(CLOSE))
    assert str(result) == ("stopped 400" if result.through else "refused 400")

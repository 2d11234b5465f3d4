"""What proxies write: addresses, ports and schemes, or nothing."""

from __future__ import annotations

import pytest

from channels.server.proxies.nodes import is_secure, read_node, read_port


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("1.2.3.4", ("1.2.3.4", 0)),
        ("1.2.3.4:80", ("1.2.3.4", 80)),
        ("1.2.3.4:_hidden", ("1.2.3.4", 0)),
        ("[::1]", ("::1", 0)),
        ("[2001:DB8::0:1]:65535", ("2001:DB8::0:1", 65535)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("::ffff:1.2.3.4", ("::ffff:1.2.3.4", 0)),
        ("1.2.3.4:65536", ("1.2.3.4", 0)),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("localhost", None),
        ("1.2.3", None),
        ("1.2.3.04", None),
        ("1.2.3.4:", None),
        ("1.2.3.4:80:80", None),
        ("[1.2.3.4]:80", None),
        ("[::1", None),
        ("::1]", None),
        ("fe80::1%eth0", None),
        ("[fe80::1%25eth0]", None),
        ("1.2.3.4\n", None),
        (" 1.2.3.4", None),
        ("\u0661.2.3.4", None),
        ("0" * 65, None),
    ],
)
def test_nodes(text: str, node: object) -> None:
    assert read_node(text) == node


@pytest.mark.parametrize(("text", "port"), [("80", 80), ("65535", 65535), ("65536", 0), ("-1", 0), ("", 0)])
def test_ports(text: str, port: int) -> None:
    assert read_port(text) == port


@pytest.mark.parametrize(
    ("scheme", "secure"),
    [
        ("https", True),
        ("WSS", True),
        ("http", False),
        ("ws", False),
        ("", None),
        ("ftp", None),
        ("h" * 99, None),
    ],
)
def test_schemes(scheme: str, secure: bool | None) -> None:
    assert is_secure(scheme) is secure

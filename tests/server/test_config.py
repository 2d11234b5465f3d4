"""The settings and their ranges."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from channels.server.config import Config, ConfigError, words


async def app(scope: Any, receive: Any, send: Any) -> None: ...


def test_the_defaults_are_valid_and_frozen() -> None:
    config = Config(app=app)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.server_name = "other"  # type: ignore[misc]


def test_each_field_but_the_application_is_documented() -> None:
    for spec in dataclasses.fields(Config):
        if spec.name != "app":
            assert spec.metadata["doc"].endswith("."), spec.name


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("lifespan", "maybe", "lifespan must be one of auto, on, off, got 'maybe'"),
        ("head_timeout", -1, "head_timeout must be a number of seconds"),
        ("request_buffer_size", 0, "request_buffer_size must be at least 1 .bytes., got 0"),
        ("max_headers", 0, "max_headers must be at least 1"),
        ("websocket_max_message_size", -1, "must be at least 0"),
        ("app", "not callable", "app must be an ASGI application"),
    ],
)
def test_what_is_out_of_range_is_named(name: str, value: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Config(**{"app": app, name: value})


def test_none_is_no_limit() -> None:
    assert Config(app=app, http_timeout=None, websocket_max_frame_size=None).http_timeout is None


def test_a_list_with_commas() -> None:
    assert words(" a, b ,,c") == ("a", "b", "c")
    assert words("") == ()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"trusted_proxies": ("nowhere",)}, "trusted_proxies: "),
        ({"root_path_header": True}, "none is named: add --trusted-proxies"),
        ({"proxy_address_header": "Forwarded"}, "add --trusted-proxies"),
        ({"health_path": "healthz"}, "health_path begins with a slash, as in /healthz; got 'healthz'"),
        ({"ssl_keyfile": "key.pem"}, "there is no certificate: add --ssl-certfile"),
        ({"ssl_ca_certs": "ca.pem"}, "nothing here speaks TLS"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], text: str) -> None:
    if text:
        with pytest.raises(ConfigError, match=text):
            Config(app=app, **options)


def test_what_goes_together_is_taken() -> None:
    secured = Config(app=app, ssl_certfile="cert.pem", ssl_keyfile="key.pem", ssl_ca_certs="ca.pem")
    assert secured.ssl_ca_certs == "ca.pem"
    endpoint = Config(app=app, endpoints=("ssl:443:privateKey=key.pem",), ssl_ca_certs="ca.pem")
    assert endpoint.ssl_certfile is None

"""What tokens say, claim by claim."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channels.topics.tokens.claims import (
    ConnectionToken,
    Demands,
    Override,
    SubscriptionToken,
    TokenSubscription,
    read_connection_claims,
    read_subscription_claims,
)
from channels.topics.tokens.errors import TokenExpired, TokenInvalid

NOW = 1_000_000.0


def connection(claims: Any, demands: Demands = Demands()) -> ConnectionToken:  # noqa: B008
    return read_connection_claims(json.dumps(claims).encode(), demands, NOW)


def subscription(claims: Any, demands: Demands = Demands()) -> SubscriptionToken:  # noqa: B008
    return read_subscription_claims(json.dumps({"channel": "a", **claims}).encode(), demands, NOW)


@pytest.mark.parametrize(
    ("claims", "token"),
    [
        ({}, ConnectionToken()),
        ({"sub": "7"}, ConnectionToken("7")),
        ({"sub": ""}, ConnectionToken()),
        ({"sub": None, "exp": None, "info": None, "channels": None, "subs": None}, ConnectionToken()),
        ({"sub": "7", "iat": NOW + 9, "jti": "t", "more": [1]}, ConnectionToken("7", token_id="t")),
        ({"exp": NOW + 1}, ConnectionToken(expire_at=NOW + 1)),
        ({"exp": NOW + 1, "expire_at": NOW + 9}, ConnectionToken(expire_at=NOW + 9)),
        ({"exp": NOW + 1, "expire_at": 0}, ConnectionToken()),
        ({"expire_at": NOW + 9}, ConnectionToken(expire_at=NOW + 9)),
        ({"info": {"name": "é\n"}}, ConnectionToken(info=b'{"name":"\\u00e9\\n"}')),
        ({"info": 0}, ConnectionToken(info=b"0")),
        ({"info": 1, "b64info": "/wA="}, ConnectionToken(info=b"\xff\0")),
        ({"info": 1, "b64info": ""}, ConnectionToken(info=b"1")),
        ({"meta": {"a": [1, 2]}}, ConnectionToken(meta=b'{"a":[1,2]}')),
        (
            {"channels": ["a", "b"]},
            ConnectionToken(subscriptions={"a": TokenSubscription(), "b": TokenSubscription()}),
        ),
        (
            {"channels": ["a"], "subs": {"b": {"info": 1, "data": 2}, "c": {"b64data": "AA=="}}},
            ConnectionToken(
                subscriptions={"b": TokenSubscription(b"1", b"2"), "c": TokenSubscription(data=b"\0")}
            ),
        ),
        ({"channels": ["a"], "subs": {}}, ConnectionToken()),
        (
            {"subs": {"a": {"override": {"presence": {"value": True}, "force_recovery": {"value": False}}}}},
            ConnectionToken(
                subscriptions={"a": TokenSubscription(override=Override(presence=True, force_recovery=False))}
            ),
        ),
    ],
)
def test_connection_tokens(claims: dict[str, Any], token: ConnectionToken) -> None:
    assert connection(claims) == token


@pytest.mark.parametrize(
    ("claims", "token"),
    [
        ({}, SubscriptionToken("", "a")),
        ({"sub": "7", "client": "c", "jti": "t"}, SubscriptionToken("7", "a", "c", token_id="t")),
        ({"exp": NOW + 1, "expire_at": 0}, SubscriptionToken("", "a")),
        ({"info": [1], "data": "x"}, SubscriptionToken("", "a", info=b"[1]", data=b'"x"')),
        ({"b64info": "AA==", "b64data": "AQ=="}, SubscriptionToken("", "a", info=b"\0", data=b"\1")),
        (
            {
                "override": {
                    "join_leave": {"value": True},
                    "force_push_join_leave": {"value": True},
                    "force_positioning": {},
                }
            },
            SubscriptionToken(
                "",
                "a",
                override=Override(join_leave=True, force_push_join_leave=True, force_positioning=False),
            ),
        ),
    ],
)
def test_subscription_tokens(claims: dict[str, Any], token: SubscriptionToken) -> None:
    assert subscription(claims) == token


def test_json_that_is_kept_has_no_line_ends() -> None:
    """They would end a message on the wire."""
    token = read_connection_claims(b'{"info": {\r\n  "a": "b c",\n "d": [ 1 ]\r\n}}', Demands(), NOW)
    assert token.info == b'{"a":"b c","d":[1]}'


@pytest.mark.parametrize("read", [connection, subscription])
@pytest.mark.parametrize(
    ("claims", "demands", "error"),
    [
        ({"exp": NOW - 1}, Demands(), "has expired"),
        ({"exp": NOW}, Demands(), "has expired"),
        ({"exp": 0}, Demands(), "has expired"),
        ({"exp": NOW + 0.1}, Demands(), None),
        ({"exp": NOW - 9}, Demands(leeway=10), None),
        ({"exp": NOW - 10}, Demands(leeway=10), "has expired"),
        ({"nbf": NOW + 1}, Demands(), "not valid yet"),
        ({"nbf": NOW}, Demands(), None),
        ({"nbf": NOW + 10}, Demands(leeway=10), None),
        ({"nbf": NOW + 11}, Demands(leeway=10), "not valid yet"),
        ({"iat": NOW + 999}, Demands(), None),
    ],
)
def test_times(read: Any, claims: dict[str, Any], demands: Demands, error: str | None) -> None:
    if error is None:
        read(claims, demands)
    else:
        with pytest.raises(TokenExpired, match=error):
            read(claims, demands)


@pytest.mark.parametrize("read", [connection, subscription])
@pytest.mark.parametrize(
    ("claims", "demands", "error"),
    [
        ({}, Demands(audience="a"), "audience"),
        ({"aud": "b"}, Demands(audience="a"), "audience"),
        ({"aud": "ab"}, Demands(audience="a"), "audience"),
        ({"aud": []}, Demands(audience="a"), "audience"),
        ({"aud": ["b"]}, Demands(audience="a"), "audience"),
        ({"aud": "a"}, Demands(audience="a"), None),
        ({"aud": ["b", "a"]}, Demands(audience="a"), None),
        ({"aud": "b"}, Demands(), None),
        ({}, Demands(issuer="a"), "issuer"),
        ({"iss": "ab"}, Demands(issuer="a"), "issuer"),
        ({"iss": "a"}, Demands(issuer="a"), None),
        ({"iss": "b"}, Demands(), None),
    ],
)
def test_demands(read: Any, claims: dict[str, Any], demands: Demands, error: str | None) -> None:
    if error is None:
        read(claims, demands)
    else:
        with pytest.raises(TokenInvalid, match=error):
            read(claims, demands)


WRONG: list[dict[str, Any]] = [
    {"sub": 7},
    {"sub": True},
    {"sub": ["7"]},
    {"exp": "1800000000"},
    {"exp": True},
    {"exp": [1]},
    {"nbf": "1"},
    {"nbf": {}},
    {"expire_at": "1"},
    {"aud": 1},
    {"aud": [1]},
    {"iss": 1},
    {"jti": 1},
    {"b64info": 1},
    {"b64info": "?"},
    {"b64info": "AA"},
    {"b64info": "é"},
]


@pytest.mark.parametrize(
    "claims", [*WRONG, {"channels": "a"}, {"channels": [1]}, {"subs": ["a"]}, {"subs": {"a": 1}}]
)
def test_claims_of_connections_of_the_wrong_type(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid, match="claim"):
        connection(claims)


@pytest.mark.parametrize(
    "claims",
    [
        *WRONG,
        {"channel": ""},
        {"channel": None},
        {"channel": 1},
        {"client": 1},
        {"b64data": "?"},
        {"override": 1},
        {"override": {"presence": True}},
        {"override": {"presence": {"value": 1}}},
    ],
)
def test_claims_of_subscriptions_of_the_wrong_type(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid, match="claim"):
        subscription(claims)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "1_0"])
def test_numbers_that_are_none(number: str) -> None:
    with pytest.raises(TokenInvalid):
        read_connection_claims(f'{{"exp": {number}}}'.encode(), Demands(), NOW)


@pytest.mark.parametrize("channel", ["a", "", None, 1])
def test_a_subscription_token_connects_nobody(channel: Any) -> None:
    with pytest.raises(TokenInvalid, match="is for a subscription"):
        connection({"sub": "7", "channel": channel})


def test_a_connection_token_subscribes_nobody() -> None:
    with pytest.raises(TokenInvalid, match="'channel' is missing"):
        read_subscription_claims(b'{"sub": "7", "channels": ["a"]}', Demands(), NOW)


@pytest.mark.parametrize(
    ("token", "fits"),
    [
        (SubscriptionToken("7", "a"), True),
        (SubscriptionToken("7", "a", "c"), True),
        (SubscriptionToken("7", "a", "d"), False),
        (SubscriptionToken("7", "b"), False),
        (SubscriptionToken("8", "a"), False),
        (SubscriptionToken("", "a"), False),
    ],
)
def test_whom_a_subscription_token_is_for(token: SubscriptionToken, fits: bool) -> None:
    assert token.is_for("7", "c", "a") is fits

"""Tokens of our own: read by us, and by another library."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured

from channels.topics import Topic
from channels.topics.registry import unregister
from channels.topics.tokens.claims import Override, TokenSubscription
from channels.topics.tokens.issuing import create_connection_token, create_subscription_token
from channels.topics.tokens.verification import verify_connection_token, verify_subscription_token
from tests.topics.tokens.signing import SECRET, pair


@pytest.fixture(autouse=True)
def tokens(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"SECRET": SECRET}}


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, SECRET, ["HS256"], options={"verify_aud": False})
    return claims


def test_a_token_is_valid_for_an_hour() -> None:
    token = create_connection_token("7")
    claims = claims_of(token)
    assert claims.keys() == {"sub", "iat", "exp"}
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 60
    found = verify_connection_token(token)
    assert (found.user, found.expire_at) == ("7", claims["exp"])


@pytest.mark.parametrize(
    ("user", "text"),
    [("7", "7"), (7, "7"), (User(pk=7), "7"), (AnonymousUser(), ""), (None, ""), ("", "")],
)
def test_users(user: Any, text: str) -> None:
    assert verify_connection_token(create_connection_token(user)).user == text
    assert verify_subscription_token(create_subscription_token(user, "a")).user == text


def test_a_user_that_was_never_saved() -> None:
    with pytest.raises(ValueError, match="no primary key"):
        create_connection_token(User())


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [(60, 60), (timedelta(minutes=2), 120), (1.9, 1), (None, None)]
)
def test_how_long(expires_in: Any, seconds: int | None) -> None:
    for token in (
        create_connection_token("7", expires_in=expires_in),
        create_subscription_token("7", "a", expires_in=expires_in),
    ):
        claims = claims_of(token)
        assert (claims["exp"] - claims["iat"] if "exp" in claims else None) == seconds


def test_another_end_of_the_connection() -> None:
    assert verify_connection_token(create_connection_token("7", expire_at=0)).expire_at is None
    end = time.time() + 99_999
    assert verify_connection_token(create_connection_token("7", expire_at=end)).expire_at == end
    assert verify_subscription_token(create_subscription_token("7", "a", expire_at=end)).expire_at == end


def test_what_goes_with_a_connection() -> None:
    subs = {"a": TokenSubscription(b'{"x":1}', b"\xff", Override(presence=False)), "b": TokenSubscription()}
    found = verify_connection_token(create_connection_token("7", info={"n": "é"}, meta=[1], topics=subs))
    assert (found.info, found.meta) == ('{"n":"é"}'.encode(), b"[1]")
    assert found.subscriptions == subs
    found = verify_connection_token(create_connection_token("7", topics=["a", "b"]))
    assert found.subscriptions == {"a": TokenSubscription(), "b": TokenSubscription()}


def test_what_goes_with_a_subscription() -> None:
    override = Override(force_recovery=True, join_leave=False)
    token = create_subscription_token("7", "a", client="c", info=1, data={"d": 2}, override=override)
    found = verify_subscription_token(token)
    assert (found.channel, found.client, found.info, found.data) == ("a", "c", b"1", b'{"d":2}')
    assert found.override == override
    assert "override" not in claims_of(create_subscription_token("7", "a", override=Override()))


def test_topics_have_their_names() -> None:
    class Board(Topic):
        pattern = "tokens-board:<int:number>"

    try:
        board = Board(number=3)
        assert verify_subscription_token(create_subscription_token("7", board)).channel == "tokens-board:3"
        assert set(verify_connection_token(create_connection_token("7", topics=[board])).subscriptions) == {
            "tokens-board:3"
        }
    finally:
        unregister(Board)


def test_audience_and_issuer_are_what_we_demand(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"SECRET": SECRET, "AUDIENCE": "chat", "ISSUER": "us"}}
    token = create_connection_token("7")
    assert claims_of(token).items() >= {"aud": "chat", "iss": "us"}.items()
    assert verify_connection_token(token).user == "7"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_private_key_signs(settings: Any, algorithm: str) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"PRIVATE_KEY": pair(algorithm).private_pem, "SECRET": SECRET}}
    token = create_connection_token("7")
    assert jwt.decode(token, pair(algorithm).public, [algorithm])["sub"] == "7"
    assert verify_connection_token(token).user == "7"


def test_nothing_to_sign_by(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"PUBLIC_KEY": pair("ES256").public_pem}}
    with pytest.raises(ImproperlyConfigured, match="nothing to sign by. Set SECRET"):
        create_connection_token("7")

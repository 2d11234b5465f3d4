"""Which tokens are good: by every algorithm, and which are refused, without a word of them."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from typing import Any

import pytest

from channels import telemetry
from channels.topics.tokens.configuration import token_configuration
from channels.topics.tokens.errors import TokenError, TokenExpired, TokenInvalid, TokenKeysUnavailable
from channels.topics.tokens.verification import (
    MAX_SIZE,
    averify_connection_token,
    averify_subscription_token,
    verify_connection_token,
    verify_subscription_token,
)
from tests.topics.tokens.conftest import Provider
from tests.topics.tokens.signing import SECRET, by_hand, pair, signed

HMAC = ("HS256", "HS384", "HS512")
PAIRS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")


def options(algorithm: str) -> dict[str, Any]:
    return {"SECRET": SECRET} if algorithm in HMAC else {"PUBLIC_KEY": pair(algorithm).public_pem}


@pytest.fixture
def tokens(settings: Any) -> Any:
    """Sets CHANNELS_TOPICS["TOKENS"]."""

    def set_tokens(**values: Any) -> None:
        settings.CHANNELS_TOPICS = {"TOKENS": values}

    set_tokens(SECRET=SECRET)
    return set_tokens


@pytest.mark.parametrize("algorithm", [*HMAC, *PAIRS])
async def test_every_algorithm(tokens: Any, algorithm: str) -> None:
    tokens(**options(algorithm))
    connection, subscription = (
        signed({"sub": "7"}, algorithm),
        signed({"sub": "7", "channel": "a"}, algorithm),
    )
    for found in (verify_connection_token(connection), await averify_connection_token(connection)):
        assert found.user == "7"
    for one in (verify_subscription_token(subscription), await averify_subscription_token(subscription)):
        assert (one.user, one.channel) == ("7", "a")


@pytest.mark.parametrize("algorithm", [*HMAC, *PAIRS])
async def test_a_signature_by_another_key(tokens: Any, algorithm: str) -> None:
    tokens(**options(algorithm))
    other = "x" * 64 if algorithm in HMAC else type(pair(algorithm))(*another(algorithm)).private
    token = signed({"sub": "7"}, algorithm, other)
    with pytest.raises(TokenInvalid, match="by none of the keys"):
        verify_connection_token(token)
    with pytest.raises(TokenInvalid, match="by none of the keys"):
        await averify_connection_token(token)


def another(algorithm: str) -> tuple[Any, Any]:
    made = pair.__wrapped__(algorithm)
    return made.private, made.public


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_public_key_is_no_secret(tokens: Any, algorithm: str) -> None:
    """Who knows a public key signs with its text, by HMAC."""
    tokens(PUBLIC_KEY=pair(algorithm).public_pem)
    for text in (pair(algorithm).public_pem, pair(algorithm).public_pem.strip()):
        with pytest.raises(TokenInvalid, match="by none of the keys"):
            verify_connection_token(by_hand({"alg": "HS256"}, b'{"sub":"7"}', text.encode()))


@pytest.mark.parametrize(
    ("algorithm", "claimed"),
    [
        (algorithm, claimed)
        for algorithm in PAIRS
        for claimed in (*HMAC, *PAIRS)
        if algorithm != claimed and not (algorithm.startswith("RS") and claimed.startswith("RS"))
    ],
)
def test_the_key_decides_the_algorithm(tokens: Any, algorithm: str, claimed: str) -> None:
    tokens(**options(algorithm))
    _, payload, signature = signed({"sub": "7"}, algorithm).split(".")
    head = by_hand({"alg": claimed}, b"").split(".")[0]
    with pytest.raises(TokenInvalid):
        verify_connection_token(f"{head}.{payload}.{signature}")


def test_several_keys(tokens: Any) -> None:
    tokens(SECRET=["new" * 12, SECRET], PUBLIC_KEY=[pair("RS256").public_pem, pair("EdDSA").public_pem])
    for algorithm in ("HS256", "RS256", "EdDSA"):
        assert verify_connection_token(signed({"sub": "7"}, algorithm)).user == "7"
    assert verify_connection_token(signed({"sub": "7"}, "HS256", "new" * 12)).user == "7"
    with pytest.raises(TokenInvalid):
        verify_connection_token(signed({"sub": "7"}, "ES256"))


GOOD_HEAD, GOOD_PAYLOAD, GOOD_SIGNATURE = signed({"sub": "7"}).split(".")
UNSIGNED = by_hand({"alg": "none"}, b'{"sub":"7"}').rpartition(".")[0]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "no JSON Web Token"),
        (".", "no JSON Web Token"),
        ("..", "no JSON Web Token"),
        ("a.b.c", "no JSON Web Token"),
        ("a.b.c.d.e", "no JSON Web Token"),
        ("\ud7ff\0.é.\u20ac", "no JSON Web Token"),
        ("\ud800", "no JSON Web Token"),
        (f"{GOOD_HEAD}.{GOOD_PAYLOAD}", "no JSON Web Token"),
        (f"{GOOD_HEAD}.{GOOD_PAYLOAD}.", "by none of the keys"),
        (f"{GOOD_HEAD}.{GOOD_PAYLOAD}.{GOOD_SIGNATURE[:-4]}", "by none of the keys"),
        (f"{GOOD_HEAD}.{GOOD_PAYLOAD[:-4]}.{GOOD_SIGNATURE}", "by none of the keys"),
        (f"{GOOD_HEAD}.{GOOD_PAYLOAD}.!!!!", "no JSON Web Token"),
        (f"{UNSIGNED}.", "an algorithm that is none of"),
        (UNSIGNED, "no JSON Web Token"),
        (by_hand({"alg": "none"}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({"alg": "None"}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({"alg": "hs256"}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({"alg": "PS256"}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({"alg": "ES256K"}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({"alg": ["HS256"]}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({"alg": None}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand({}, b'{"sub":"7"}'), "an algorithm that is none of"),
        (by_hand([], b'{"sub":"7"}'), "no JSON Web Token"),
        (by_hand(b"{", b'{"sub":"7"}'), "no JSON Web Token"),
        (by_hand(b"\xff", b'{"sub":"7"}'), "no JSON Web Token"),
        (by_hand(b"[" * 3000, b'{"sub":"7"}'), "no JSON Web Token"),
        (by_hand({"alg": "HS256", "kid": 7}, b'{"sub":"7"}'), "no JSON Web Token"),
        (by_hand({"alg": "HS256", "crit": ["exp"]}, b'{"sub":"7"}'), "no JSON Web Token"),
        (by_hand({"alg": "HS256", "crit": ["b64"], "b64": False}, b""), "an extension that is not known"),
        (by_hand({"alg": "HS256"}, b""), "no JSON object"),
        (by_hand({"alg": "HS256"}, b"{"), "no JSON object"),
        (by_hand({"alg": "HS256"}, b"\xff"), "no JSON object"),
        (by_hand({"alg": "HS256"}, b'{"info":"\xff"}'), "no JSON object"),
        (by_hand({"alg": "HS256"}, b"[]"), "wrong type"),
        (by_hand({"alg": "HS256"}, b'"text"'), "wrong type"),
        ("a" * (MAX_SIZE + 1), f"has {MAX_SIZE + 1} characters; {MAX_SIZE} are allowed"),
    ],
    ids=range(36),
)
async def test_what_is_no_token(tokens: Any, token: str, words: str) -> None:
    for verify in (verify_connection_token, verify_subscription_token):
        with pytest.raises(TokenInvalid, match=words):
            verify(token)
    with pytest.raises(TokenInvalid, match=words):
        await averify_connection_token(token)


def test_a_header_may_say_more(tokens: Any) -> None:
    assert verify_connection_token(signed({"sub": "7"}, kid="k", typ="JWT", cty="x", other=[1])).user == "7"


def test_as_large_as_a_token_may_be(tokens: Any) -> None:
    token = signed({"sub": "7", "meta": "x" * 11_000})
    assert 14_000 < len(token) <= MAX_SIZE
    assert verify_connection_token(token).meta == b'"' + b"x" * 11_000 + b'"'


def test_without_keys_no_token_is_valid(tokens: Any) -> None:
    tokens()
    with pytest.raises(TokenInvalid, match=r"CHANNELS_TOPICS\['TOKENS'\] has no keys"):
        verify_connection_token(signed({"sub": "7"}))


def test_what_is_demanded_comes_from_the_settings(tokens: Any) -> None:
    tokens(SECRET=SECRET, AUDIENCE="chat", ISSUER="us", LEEWAY=30)
    good = {"sub": "7", "aud": "chat", "iss": "us", "exp": time.time() - 10}
    assert verify_connection_token(signed(good)).user == "7"
    for wrong in ({"aud": "shop"}, {"iss": "them"}):
        with pytest.raises(TokenInvalid):
            verify_connection_token(signed({**good, **wrong}))
    with pytest.raises(TokenExpired):
        verify_subscription_token(signed({**good, "channel": "a", "exp": time.time() - 60}))


class Facts(list[tuple[str, dict[str, Any]]]):
    """What telemetry was told."""

    def __call__(self, event: str, facts: dict[str, Any]) -> None:
        self.append((event, facts))


@pytest.mark.parametrize("reason", ["expired", "invalid"])
def test_a_refusal_is_counted_and_shows_nothing(
    tokens: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    claims = (
        {"sub": "treasure", "info": "treasure", "exp": 1}
        if reason == "expired"
        else {"sub": "treasure", "aud": 1}
    )
    token = signed(claims, kid="treasure")
    facts = Facts()
    detach = telemetry.attach(facts)
    try:
        with pytest.raises(TokenError) as caught:
            verify_connection_token(token)
    finally:
        detach()
    assert facts == [("topics.token_refused", {"amount": 1, "reason": reason})]
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text + repr(facts)
    for part in (*token.split("."), "treasure", SECRET):
        assert part not in shown


# -- keys of a set


@pytest.fixture
def configured(provider: Provider, settings: Any) -> Provider:
    settings.CHANNELS_TOPICS = {
        "TOKENS": {"SECRET": SECRET, "JWKS": f"http://127.0.0.1:{provider.server_port}/"}
    }
    provider.serve(pair("RS256").jwk("rsa"), pair("ES256").jwk("ec"), pair("EdDSA").jwk("ed"))
    return provider


@pytest.mark.parametrize(
    ("algorithm", "key_id"), [("RS256", "rsa"), ("RS512", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")]
)
async def test_tokens_by_keys_of_a_set(configured: Provider, algorithm: str, key_id: str) -> None:
    key = pair("RS256").private if key_id == "rsa" else None
    token = signed({"sub": "7"}, algorithm, key, kid=key_id)
    assert (await averify_connection_token(token)).user == "7"
    assert verify_connection_token(token).user == "7"
    token = signed({"sub": "7", "channel": "a"}, algorithm, key, kid=key_id)
    assert (await averify_subscription_token(token)).channel == "a"
    assert verify_subscription_token(token).channel == "a"
    assert verify_connection_token(signed({"sub": "8"}, "HS256", kid="any")).user == "8"
    assert len(configured.requests) == 1


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (signed({"sub": "7"}, "ES256"), "does not name its key"),
        (signed({"sub": "7"}, "ES256", kid=""), "does not name its key"),
        (signed({"sub": "7"}, "ES256", kid="none"), "by none of the keys"),
        (signed({"sub": "7"}, "ES256", kid="ed"), "by none of the keys"),
        (signed({"sub": "7"}, "ES256", pair.__wrapped__("ES256").private, kid="ec"), "by none of the keys"),
        (signed({"sub": "7"}, "HS256", "x" * 64, kid="ec"), "by none of the keys"),
    ],
)
async def test_tokens_that_no_key_of_a_set_signed(configured: Provider, token: str, words: str) -> None:
    with pytest.raises(TokenInvalid, match=words):
        verify_connection_token(token)
    with pytest.raises((TokenInvalid, TokenKeysUnavailable)):
        await averify_connection_token(token)


async def test_clients_that_come_at_once_share_one_request(configured: Provider) -> None:
    configured.may_answer.clear()
    token = signed({"sub": "7"}, "EdDSA", kid="ed")
    tasks = [asyncio.create_task(averify_connection_token(token)) for _ in range(200)]
    source = token_configuration().jwks
    assert source is not None
    while not configured.requests:
        await asyncio.sleep(0.01)
    tasks.pop().cancel()
    await asyncio.sleep(0)
    configured.may_answer.set()
    assert {found.user for found in await asyncio.gather(*tasks)} == {"7"}
    assert len(configured.requests) == 1


async def test_a_provider_that_is_away_is_not_the_tokens_fault(configured: Provider) -> None:
    configured.status = 503
    before = telemetry.counters["topics.token_refused"]
    with pytest.raises(TokenKeysUnavailable):
        await averify_connection_token(signed({"sub": "7"}, "EdDSA", kid="ed"))
    assert telemetry.counters["topics.token_refused"] == before + 1

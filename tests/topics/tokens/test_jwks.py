"""Sets of keys: where they come from, how often they are read, what holds while they cannot be."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from channels import telemetry
from channels.topics.tokens import jwks
from channels.topics.tokens.errors import TokenKeysUnavailable
from channels.topics.tokens.jwks import JwksSource
from channels.topics.tokens.keys import Key
from tests.topics.tokens.conftest import Provider
from tests.topics.tokens.signing import pair


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def read(source: JwksSource, key_id: str) -> Key | None:
    """Look a key up as a verification does."""
    asked_at = source.now()
    reading = source.refresh(key_id)
    if reading is not None:
        reading.result(10)
    return source.find(key_id, asked_at)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(provider: Provider, clock: Clock) -> JwksSource:
    return JwksSource(provider.url.replace("user:treasure@", ""), clock)


# -- what is in a set


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_keys_of_every_kind(provider: Provider, source: JwksSource, algorithm: str) -> None:
    provider.serve(pair(algorithm).jwk("k"))
    key = read(source, "k")
    assert key is not None
    assert algorithm in key.algorithms
    assert len(key.algorithms) == (3 if algorithm == "RS256" else 1)


def test_a_key_for_one_algorithm(provider: Provider, source: JwksSource) -> None:
    provider.serve(pair("RS256").jwk("k", alg="RS384", use="sig"))
    key = read(source, "k")
    assert key is not None
    assert key.algorithms == ("RS384",)


def private(algorithm: str) -> dict[str, Any]:
    kind = RSAAlgorithm if algorithm == "RS256" else ECAlgorithm
    return {**kind.to_jwk(pair(algorithm).private, as_dict=True), "kid": "k"}


UNUSABLE: dict[str, Any] = {
    "no id": {**pair("RS256").jwk(), "kid": None},
    "an id of another type": {**pair("RS256").jwk(), "kid": 1},
    "a secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "k"},
    "no kind": {"kid": "k"},
    "an unknown kind": {"kty": ["RSA"][0] + "?", "kid": "k"},
    "a private key": private("RS256"),
    "a private key of a curve": private("ES256"),
    "for encryption": pair("RS256").jwk(use="enc"),
    "an algorithm of another kind": pair("RS256").jwk(alg="HS256"),
    "an algorithm that we do not take": pair("RS256").jwk(alg="PS256"),
    "an algorithm of another curve": pair("ES256").jwk(alg="ES384"),
    "an algorithm that is no text": pair("ES256").jwk(alg=["ES256"]),
    "a short key": {
        **RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True),
        "kid": "k",
    },
    "another curve": {
        **ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256K1()).public_key(), as_dict=True),
        "kid": "k",
    },
    "no numbers": {"kty": "RSA", "kid": "k"},
    "numbers that are none": {"kty": "RSA", "kid": "k", "n": 1, "e": "?"},
    "a point beside its curve": {**pair("ES256").jwk(), "x": pair("ES256").jwk()["y"]},
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_is_no_key_for_tokens(provider: Provider, source: JwksSource, entry: dict[str, Any]) -> None:
    """It is left out, and those beside it are used."""
    provider.serve(pair("EdDSA").jwk("other"), entry)
    assert read(source, "other") is not None
    assert source.find("k", float("-inf")) is None


BAD: dict[str, tuple[int, bytes]] = {
    "a redirect": (302, b""),
    "an error": (500, b'{"keys": []}'),
    "nothing": (200, b""),
    "no JSON": (200, b"<html>"),
    "no keys": (200, b'{"keys": []}'),
    "no usable keys": (200, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}]}'),
    "another type": (200, b'{"keys": {"k": 1}}'),
    "deep": (200, b'{"keys": [' + b"[" * 5000),
    "too much": (200, b'{"keys": []}' + b" " * jwks.MAX_SIZE),
}


@pytest.mark.parametrize(("status", "body"), BAD.values(), ids=BAD.keys())
def test_what_is_no_set(
    provider: Provider,
    source: JwksSource,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: bytes,
) -> None:
    caplog.set_level(logging.INFO, "channels.topics")
    provider.status, provider.body = status, body
    before = telemetry.counters["topics.jwks_failed"]
    for _ in range(3):
        clock.now += jwks.MIN_INTERVAL
        with pytest.raises(TokenKeysUnavailable, match="could not be had from http://127.0.0.1 now"):
            read(source, "k")
    assert [path.partition("?")[0] for path in provider.requests] == ["/keys"] * 3
    assert telemetry.counters["topics.jwks_failed"] == before + 3
    provider.serve(pair("EdDSA").jwk("k"))
    clock.now += jwks.MIN_INTERVAL
    assert read(source, "k") is not None
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "treasure" not in caplog.text
    assert "c2VjcmV0" not in caplog.text


def test_no_more_keys_than_are_allowed(provider: Provider, source: JwksSource) -> None:
    provider.serve(*(pair("EdDSA").jwk(str(number)) for number in range(jwks.MAX_KEYS + 1)))
    assert read(source, str(jwks.MAX_KEYS - 1)) is not None
    assert source.find(str(jwks.MAX_KEYS), float("-inf")) is None


# -- how often a set is read


def test_a_set_is_kept_and_read_again_when_it_is_old(
    provider: Provider, source: JwksSource, clock: Clock
) -> None:
    provider.serve(pair("EdDSA").jwk("k"))
    for _ in range(5):
        assert read(source, "k") is not None
        clock.now += jwks.LIFETIME / 6
    assert len(provider.requests) == 1
    provider.serve(pair("EdDSA").jwk("new"))
    clock.now += jwks.LIFETIME / 6
    assert read(source, "k") is None
    assert len(provider.requests) == 2


def test_a_new_key_is_found_at_once(provider: Provider, source: JwksSource, clock: Clock) -> None:
    provider.serve(pair("EdDSA").jwk("k"))
    assert read(source, "k") is not None
    clock.now += jwks.MIN_INTERVAL
    provider.serve(pair("EdDSA").jwk("k"), pair("ES256").jwk("new"))
    assert read(source, "new") is not None
    assert len(provider.requests) == 2


def test_unknown_keys_do_not_make_us_ask_all_the_time(
    provider: Provider, source: JwksSource, clock: Clock
) -> None:
    """Within the interval nobody is told that the key is not there: it may be new."""
    provider.serve(pair("EdDSA").jwk("k"))
    assert read(source, "unknown") is None
    for number in range(20):
        clock.now += jwks.MIN_INTERVAL / 25
        with pytest.raises(TokenKeysUnavailable):
            read(source, f"unknown {number}")
        assert read(source, "k") is not None
    assert len(provider.requests) == 1


def test_keys_hold_while_they_cannot_be_read_but_not_for_ever(
    provider: Provider, source: JwksSource, clock: Clock
) -> None:
    provider.serve(pair("EdDSA").jwk("k"))
    assert read(source, "k") is not None
    provider.status = 500
    clock.now += jwks.MAX_AGE - 1
    assert read(source, "k") is not None
    assert len(provider.requests) == 2
    clock.now += 1
    with pytest.raises(TokenKeysUnavailable):
        read(source, "k")


def test_who_asks_meanwhile_waits_for_the_same_answer(provider: Provider, source: JwksSource) -> None:
    provider.serve(pair("EdDSA").jwk("k"))
    provider.may_answer.clear()
    readings = {source.refresh("k") for _ in range(5)}
    assert len(readings) == 1
    provider.may_answer.set()
    (reading,) = readings
    assert reading is not None
    reading.result(10)
    assert source.refresh("k") is None
    assert len(provider.requests) == 1


def test_an_answer_that_never_comes_is_given_up(provider: Provider, source: JwksSource, clock: Clock) -> None:
    """What the first attempt brings late counts no more."""
    provider.serve(pair("EdDSA").jwk("old"))
    provider.may_answer.clear()
    first = source.refresh("k")
    clock.now += jwks.GIVE_UP
    second = source.refresh("k")
    assert first is not None and second is not None and first is not second
    provider.may_answer.set()
    for reading in (first, second):
        reading.result(10)
    assert source.find("old", clock.now) is not None


# -- where it is


def test_a_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "keys.json"
    source = JwksSource(str(path), clock)
    with pytest.raises(TokenKeysUnavailable, match=r"keys\.json"):
        read(source, "k")
    path.write_text(json.dumps({"keys": [pair("EdDSA").jwk("k")]}))
    clock.now += jwks.MIN_INTERVAL
    assert read(source, "k") is not None


@pytest.mark.parametrize(
    "location", ["http://keys.example/", "http://10.0.0.1/", "https:///keys", "http://localhost.example/"]
)
def test_places_that_keys_do_not_come_from(location: str) -> None:
    with pytest.raises(ValueError, match="https URL"):
        JwksSource(location)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:treasure@keys.example:8443/path?key=treasure", "<JwksSource https://keys.example>"),
        ("http://localhost:1/", "<JwksSource http://localhost>"),
        ("/etc/keys.json", "<JwksSource /etc/keys.json>"),
    ],
)
def test_how_a_place_is_shown(location: str, shown: str) -> None:
    assert repr(JwksSource(location)) == shown


def test_who_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    with Provider() as server:
        port = server.server_port
    source = JwksSource(f"http://127.0.0.1:{port}/?treasure")
    with pytest.raises(TokenKeysUnavailable):
        read(source, "k")
    assert "Keys of tokens could not be read from http://127.0.0.1: URLError" in caplog.text
    assert "treasure" not in caplog.text

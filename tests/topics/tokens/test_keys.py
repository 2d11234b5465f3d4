"""Keys and what they are for."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from channels.topics.tokens.keys import Key, private_key, public_key, secret_key
from tests.topics.tokens.signing import Pair, pair

ALGORITHMS = {
    "RS256": ("RS256", "RS384", "RS512"),
    "ES256": ("ES256",),
    "ES384": ("ES384",),
    "ES512": ("ES512",),
    "EdDSA": ("EdDSA",),
}


@pytest.mark.parametrize(("kind", "algorithms"), ALGORITHMS.items())
def test_the_algorithms_of_a_pair(kind: str, algorithms: tuple[str, ...]) -> None:
    key = public_key(pair(kind).public_pem)
    assert key.algorithms == algorithms
    signing, public = private_key(pair(kind).private_pem)
    assert signing.algorithm == algorithms[0]
    assert public == key


def test_a_secret() -> None:
    assert secret_key("secret") == Key(("HS256", "HS384", "HS512"), b"secret")


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("", "empty"),
        (pair("RS256").public_pem, "is a PEM"),
        ("\n " + pair("RS256").public_pem, "is a PEM"),
        (pair("ES256").private_pem, "is a PEM"),
    ],
)
def test_what_is_no_secret(secret: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        secret_key(secret)


OTHERS: dict[str, Any] = {
    "short RSA": rsa.generate_private_key(65537, 1024),
    "another curve": ec.generate_private_key(ec.SECP256K1()),
    "Ed448": ed448.Ed448PrivateKey.generate(),
    "for an exchange": x25519.X25519PrivateKey.generate(),
    "DSA": dsa.generate_private_key(2048),
}


@pytest.mark.parametrize("key", OTHERS.values(), ids=OTHERS.keys())
def test_keys_that_tokens_are_not_signed_by(key: Any) -> None:
    other = Pair(key, key.public_key())
    with pytest.raises(
        ValueError, match=r"of a kind that tokens are not signed by|1024 bits; 2048 are the least"
    ):
        public_key(other.public_pem)
    with pytest.raises(
        ValueError, match=r"of a kind that tokens are not signed by|1024 bits; 2048 are the least"
    ):
        private_key(other.private_pem)


LOCKED = pair("ES256").private.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
)


@pytest.mark.parametrize("text", ["", "treasure", pair("ES256").public_pem, LOCKED.decode()])
def test_what_is_no_private_key(text: str) -> None:
    with pytest.raises(ValueError, match="no PEM") as caught:
        private_key(text)
    assert "treasure" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "treasure", pair("ES256").private_pem])
def test_what_is_no_public_key(text: str) -> None:
    with pytest.raises(ValueError, match="no PEM"):
        public_key(text)


def test_keys_are_not_shown() -> None:
    signing, public = private_key(pair("ES256").private_pem)
    assert "material" not in repr((signing, public, secret_key("treasure")))
    assert "treasure" not in repr(secret_key("treasure"))

"""Keys that sign tokens or verify them. What a key is decides which algorithms it is for, not the token.

So a public key is never taken as the secret of an HMAC, and ``none`` is no algorithm of any key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

#: The algorithms that tokens may be signed by.
HMAC_ALGORITHMS: Final = ("HS256", "HS384", "HS512")
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512")
CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = frozenset((*HMAC_ALGORITHMS, *RSA_ALGORITHMS, *CURVES.values(), "EdDSA"))

#: Bits that an RSA key has at least.
MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """A secret or a public key, and the algorithms that it may verify by.

    Attributes:
        algorithms: their names in tokens; the first is the one to sign by.
        material: bytes, or a key of the cryptography library.
    """

    algorithms: tuple[str, ...]
    material: bytes | PublicKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs our own tokens.

    Attributes:
        algorithm: its name in tokens.
        material: bytes, or a key of the cryptography library.
    """

    algorithm: str
    material: bytes | PrivateKey = field(repr=False)


def secret_key(secret: str) -> Key:
    """Return the key of a shared secret.

    Raises:
        ValueError: it is empty, or is the text of a key that is not secret by its nature.
    """
    if not secret:
        raise ValueError("a secret is empty")
    if "-----BEGIN" in secret:
        raise ValueError("a secret is a PEM; public and private keys have options of their own")
    return Key(HMAC_ALGORITHMS, secret.encode())


def public_key(pem: str) -> Key:
    """Return a public key.

    Args:
        pem: an RSA key of at least 2048 bits, an elliptic curve's (P-256, P-384, P-521) or an Ed25519 key.

    Raises:
        ValueError: it is no such key.
    """
    try:
        material = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("a public key is no PEM (-----BEGIN PUBLIC KEY-----)") from None
    return key_of(material)


def private_key(pem: str) -> tuple[SigningKey, Key]:
    """Return a private key to sign by, and the public key that verifies what it signs.

    Args:
        pem: of the kinds that :func:`public_key` takes, without a password.

    Raises:
        ValueError: it is no such key.
    """
    try:
        material = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(
            "the private key is no PEM (-----BEGIN PRIVATE KEY-----) without a password"
        ) from None
    if not isinstance(material, PrivateKey):
        raise ValueError("the private key is of a kind that tokens are not signed by")
    public = key_of(material.public_key())
    return SigningKey(public.algorithms[0], material), public


def key_of(material: Any) -> Key:
    """Return a public key of the cryptography library with its algorithms.

    Raises:
        ValueError: it is of a kind that tokens are not signed by, or too short.
    """
    if isinstance(material, RSAPublicKey):
        if material.key_size < MIN_RSA_BITS:
            raise ValueError(f"an RSA key has {material.key_size} bits; {MIN_RSA_BITS} are the least")
        return Key(RSA_ALGORITHMS, material)
    if isinstance(material, EllipticCurvePublicKey) and material.curve.name in CURVES:
        return Key((CURVES[material.curve.name],), material)
    if isinstance(material, Ed25519PublicKey):
        return Key(("EdDSA",), material)
    raise ValueError("a public key is of a kind that tokens are not signed by")

"""Keys of every kind, and tokens signed by them, as somebody else's code would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SECRET = "a secret of thirty-two characters, and some more to be long enough for HS512"


@dataclass(frozen=True)
class Pair:
    """A private key and its public one."""

    private: Any
    public: Any

    @property
    def private_pem(self) -> str:
        return str(self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())

    @property
    def public_pem(self) -> str:
        return str(self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())

    def jwk(self, key_id: str = "k", **more: Any) -> dict[str, Any]:
        kind: Any = {"RSA": RSAAlgorithm, "ECP": ECAlgorithm, "Ed2": OKPAlgorithm}[
            type(self.public).__name__[:3]
        ]
        return {**kind.to_jwk(self.public, as_dict=True), "kid": key_id, **more}


@cache
def pair(algorithm: str) -> Pair:
    """A pair for an algorithm, the same one each time."""
    private = _new(algorithm)
    return Pair(private, private.public_key())


def _new(algorithm: str) -> Any:
    if algorithm.startswith("RS"):
        return rsa.generate_private_key(65537, 2048)
    curves: dict[str, ec.EllipticCurve] = {
        "ES256": ec.SECP256R1(),
        "ES384": ec.SECP384R1(),
        "ES512": ec.SECP521R1(),
    }
    return (
        ec.generate_private_key(curves[algorithm])
        if algorithm in curves
        else ed25519.Ed25519PrivateKey.generate()
    )


def signed(claims: dict[str, Any], algorithm: str = "HS256", key: Any = None, **headers: Any) -> str:
    """A token, signed by PyJWT."""
    material = key or (SECRET if algorithm.startswith("HS") else pair(algorithm).private)
    return jwt.encode(claims, material, algorithm, headers or None)


def by_hand(header: Any, payload: bytes, secret: bytes = SECRET.encode()) -> str:
    """A token of any header and payload, signed by HS256; what no library would make."""
    parts = [header if isinstance(header, bytes) else json.dumps(header).encode(), payload]
    signing_input = b".".join(map(_encoded, parts))
    signature = hmac.new(secret, signing_input, hashlib.sha256).digest()
    return b".".join((signing_input, _encoded(signature))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")

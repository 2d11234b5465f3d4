"""The settings of tokens: what they may be, and what is said when they are not."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.topics.tokens.claims import Demands
from channels.topics.tokens.configuration import TokenConfiguration, read_configuration, token_configuration
from channels.topics.tokens.keys import HMAC_ALGORITHMS, SigningKey
from tests.topics.tokens.signing import SECRET, pair


def test_nothing_is_set() -> None:
    assert token_configuration() == TokenConfiguration()
    assert read_configuration({}) == TokenConfiguration()


def test_everything_is_set() -> None:
    made = read_configuration(
        {
            "SECRET": [SECRET, "old" * 11],
            "PUBLIC_KEY": pair("RS256").public_pem,
            "PRIVATE_KEY": pair("ES384").private_pem,
            "JWKS": "https://keys.example/jwks.json",
            "AUDIENCE": "chat",
            "ISSUER": "us",
            "LEEWAY": 2,
        }
    )
    assert [key.algorithms[0] for key in made.keys] == ["HS256", "HS256", "RS256", "ES384"]
    assert made.signing is not None
    assert made.signing.algorithm == "ES384"
    assert repr(made.jwks) == "<JwksSource https://keys.example>"
    assert made.demands == Demands("chat", "us", 2.0)


def test_the_first_secret_signs() -> None:
    made = read_configuration({"SECRET": ["new", "old"]})
    assert made.signing == SigningKey("HS256", b"new")
    assert [key.material for key in made.keys] == [b"new", b"old"]
    assert made.keys[0].algorithms == HMAC_ALGORITHMS


def test_a_public_key_signs_nothing() -> None:
    assert read_configuration({"PUBLIC_KEY": pair("ES256").public_pem}).signing is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"SECRETS": "treasure"}, "SECRETS is unknown; there are AUDIENCE, ISSUER, JWKS"),
        ({"secret": "treasure"}, "secret is unknown"),
        ({"SECRET": ""}, "a secret is empty"),
        ({"SECRET": ["treasure", ""]}, "a secret is empty"),
        ({"SECRET": b"treasure"}, "SECRET is to be a text or a list of texts"),
        ({"SECRET": [b"treasure"]}, "SECRET is to be a text or a list of texts"),
        ({"SECRET": 7}, "SECRET is to be a text or a list of texts"),
        ({"PUBLIC_KEY": "treasure"}, "a public key is no PEM"),
        ({"PRIVATE_KEY": "treasure"}, "the private key is no PEM"),
        ({"PRIVATE_KEY": ["treasure"]}, "PRIVATE_KEY is to be a text"),
        ({"JWKS": "http://keys.example/treasure"}, "keys come from an https URL"),
        ({"JWKS": 7}, "JWKS is to be a text"),
        ({"AUDIENCE": ["treasure"]}, "AUDIENCE is to be a text"),
        ({"ISSUER": 7}, "ISSUER is to be a text"),
        ({"LEEWAY": -1}, "LEEWAY is to be a number of seconds from 0 to 300"),
        ({"LEEWAY": 301}, "LEEWAY is to be a number"),
        ({"LEEWAY": True}, "LEEWAY is to be a number"),
        ({"LEEWAY": "1"}, "LEEWAY is to be a number"),
        ({"LEEWAY": float("nan")}, "LEEWAY is to be a number"),
    ],
)
def test_mistakes(settings: Any, options: dict[str, Any], words: str) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": options}
    with pytest.raises(ImproperlyConfigured, match=words) as caught:
        token_configuration()
    assert str(caught.value).startswith("CHANNELS_TOPICS['TOKENS']: ")
    assert "treasure" not in str(caught.value)


def test_a_changed_setting_is_read_again(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"SECRET": SECRET}}
    first = token_configuration()
    assert token_configuration() is first
    settings.CHANNELS_TOPICS = {"TOKENS": {"SECRET": "another"}}
    assert token_configuration().signing == SigningKey("HS256", b"another")


def test_no_key_is_shown() -> None:
    shown = repr(read_configuration({"SECRET": "treasure", "PRIVATE_KEY": pair("ES256").private_pem}))
    assert "treasure" not in shown
    assert "object at" not in shown

"""How tokens are signed and verified: the one reader of ``CHANNELS_TOPICS["TOKENS"]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from channels.topics.tokens.claims import Demands
from channels.topics.tokens.jwks import JwksSource
from channels.topics.tokens.keys import HMAC_ALGORITHMS, Key, SigningKey, private_key, public_key, secret_key

_OPTIONS: Final = frozenset({"SECRET", "PUBLIC_KEY", "PRIVATE_KEY", "JWKS", "AUDIENCE", "ISSUER", "LEEWAY"})


@dataclass(frozen=True, slots=True)
class TokenConfiguration:
    """Keys and demands of a project.

    Attributes:
        keys: what tokens may be signed by, of the settings.
        signing: what signs our own; None: we only verify.
        jwks: where more keys are; None: nowhere.
        demands: what each token has to say.
    """

    keys: tuple[Key, ...] = field(default=(), repr=False)
    signing: SigningKey | None = None
    jwks: JwksSource | None = None
    demands: Demands = field(default_factory=Demands)


@cache
def token_configuration() -> TokenConfiguration:
    """Return what the settings say; read once, and again when a test changes them.

    Raises:
        ImproperlyConfigured: an option is unknown, or its value is of no use.
    """
    topics = getattr(settings, "CHANNELS_TOPICS", None) or {}
    return read_configuration(topics.get("TOKENS") or {})


def read_configuration(options: Mapping[str, Any]) -> TokenConfiguration:
    """Return keys and demands as options say.

    Args:
        options: SECRET and PUBLIC_KEY, a text each or a list of texts, of which the first SECRET signs;
            PRIVATE_KEY, which signs instead; JWKS, a URL or a path; AUDIENCE, ISSUER, LEEWAY (seconds).

    Raises:
        ImproperlyConfigured: an option is unknown, or its value is of no use.
    """
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise _mistake(f"{', '.join(sorted(unknown))} is unknown; there are {', '.join(sorted(_OPTIONS))}")
    try:
        return _configuration(options)
    except ValueError as error:
        raise _mistake(str(error)) from None


def _configuration(options: Mapping[str, Any]) -> TokenConfiguration:
    texts = _texts(options, "SECRET")
    keys = [*map(secret_key, texts), *map(public_key, _texts(options, "PUBLIC_KEY"))]
    signing = SigningKey(HMAC_ALGORITHMS[0], texts[0].encode()) if texts else None
    pem = _text(options, "PRIVATE_KEY")
    if pem:
        signing, public = private_key(pem)
        keys.append(public)
    location = _text(options, "JWKS")
    return TokenConfiguration(
        keys=tuple(keys),
        signing=signing,
        jwks=JwksSource(location) if location else None,
        demands=Demands(
            _text(options, "AUDIENCE"), _text(options, "ISSUER"), _leeway(options.get("LEEWAY", 0))
        ),
    )


def _texts(options: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of an option that may be one or several."""
    value = options.get(name)
    texts = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(texts, Iterable) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} is to be a text or a list of texts")
    return list(texts)


def _text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is to be a text")
    return value or None


def _leeway(seconds: Any) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 300:
        raise ValueError("LEEWAY is to be a number of seconds from 0 to 300")
    return float(seconds)


def _mistake(what: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"CHANNELS_TOPICS['TOKENS']: {what}.")


def _forget(setting: str, **kwargs: Any) -> None:
    if setting == "CHANNELS_TOPICS":
        token_configuration.cache_clear()


setting_changed.connect(_forget)

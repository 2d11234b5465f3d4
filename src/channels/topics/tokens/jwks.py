"""A set of keys (JWKS, RFC 7517) at a URL or in a file: read when needed, kept, and read anew within bounds.

A set is read by a thread of its own, one at a time, whoever needs it, and at most every few seconds, however
many tokens name keys that are not in it. While it cannot be read, the keys of before hold on, for a day.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
import urllib.error
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from channels import telemetry
from channels.topics.tokens.errors import TokenKeysUnavailable
from channels.topics.tokens.keys import Key, key_of

#: Seconds after which a set is read again, and for which it holds where it cannot be.
LIFETIME: Final = 3600.0
MAX_AGE: Final = 86400.0
#: Seconds between two attempts, for each step of one, and after which one that still runs counts as lost.
MIN_INTERVAL: Final = 5.0
TIMEOUT: Final = 5.0
GIVE_UP: Final = 30.0
#: Bytes that a set may have, and keys that are taken from it.
MAX_SIZE: Final = 256 * 1024
MAX_KEYS: Final = 64

_PARSERS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_FAILURES: Final = (OSError, http.client.HTTPException, ValueError, RecursionError)

_logger = logging.getLogger("channels.topics")


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class JwksSource:
    """The keys at one place, by their ids.

    Args:
        location: an https URL (http for this machine only), or the path of a file.
        clock: seconds that never go back.

    Raises:
        ValueError: the URL is none that keys may come from.
    """

    def __init__(self, location: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._read, self._place = _reader_for(location)
        self._lock = threading.Lock()
        self._keys: Mapping[str, Key] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading: Future[None] | None = None
        self._failing = False

    def __repr__(self) -> str:
        return f"<JwksSource {self._place}>"

    def refresh(self, key_id: str) -> Future[None] | None:
        """Have the set read if it is old or lacks this key, unless it was tried a moment ago.

        Returns:
            What is done when it was read, well or not; None: there is nothing to wait for.
        """
        with self._lock:
            now = self.now()
            if key_id in self._keys and now - self._read_at < LIFETIME:
                return None
            if self._reading is not None and now - self._tried_at < GIVE_UP:
                return self._reading
            if now - self._tried_at < MIN_INTERVAL:
                return None
            self._tried_at = now
            self._reading = reading = Future[None]()
        threading.Thread(target=self._run, args=(reading, now), name="channels-jwks", daemon=True).start()
        return reading

    def find(self, key_id: str, asked_at: float) -> Key | None:
        """Return the key with this id; None: there is none in a set that was read since.

        Args:
            key_id: as the token has it.
            asked_at: by :attr:`now`, before :meth:`refresh` was called.

        Raises:
            TokenKeysUnavailable: there was none when the set was last read, and it could not be read since.
        """
        with self._lock:
            key = self._keys.get(key_id) if self.now() - self._read_at < MAX_AGE else None
            if key is None and self._read_at < asked_at:
                raise TokenKeysUnavailable(f"The key of a token could not be had from {self._place} now.")
        return key

    def _run(self, reading: Future[None], began: float) -> None:
        try:
            keys, error = _keys_in(self._read()), None
        except _FAILURES as failure:
            keys, error = {}, failure
        with self._lock:
            if self._reading is reading:  # else it took so long that another one was begun
                self._reading = None
                if error is None:
                    self._keys, self._read_at = keys, began
                self._tell(error)
        reading.set_result(None)

    def _tell(self, error: Exception | None) -> None:
        """Count a failure; log the first one in a row, and that it is over."""
        if error is not None:
            telemetry.count("topics.jwks_failed", place=self._place, error=type(error).__name__)
        if error is not None and not self._failing:
            _logger.warning("Keys of tokens could not be read from %s: %s.", self._place, _reason(error))
        elif error is None and self._failing:
            _logger.info("Keys of tokens can be read again from %s.", self._place)
        self._failing = error is not None


# -- reading


def _reader_for(location: str) -> tuple[Callable[[], bytes], str]:
    """Return what reads the set, and how its place is called in logs: without user, password or query."""
    url = urlsplit(location)
    if url.scheme not in ("http", "https"):
        return lambda: _read_file(location), location
    if url.hostname is None or (url.scheme == "http" and url.hostname not in _LOOPBACK):
        raise ValueError("keys come from an https URL (http for this machine only) or from a file")
    return lambda: _fetch(location), f"{url.scheme}://{url.hostname}"


def _read_file(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return _bounded(file.read(MAX_SIZE + 1))


def _fetch(url: str) -> bytes:
    opener = build_opener(_NoRedirects)
    deadline = time.monotonic() + TIMEOUT
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - its scheme was looked at
    with opener.open(request, timeout=TIMEOUT) as response:
        data = b""
        while piece := response.read1(MAX_SIZE + 1 - len(data)):
            data = _bounded(data + piece)
            if time.monotonic() > deadline:
                raise TimeoutError
        return data


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_SIZE:
        raise ValueError(f"the set has more than {MAX_SIZE} bytes")
    return data


class _NoRedirects(HTTPRedirectHandler):
    """Trust is for one place: a redirect is an error."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def _reason(error: Exception) -> str:
    """Return what failed, without anything of what was read."""
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    if isinstance(error, msgspec.ValidationError | msgspec.DecodeError):
        return "it is no JSON object with a list of keys"
    return f"{type(error).__name__}: {error}"


# -- understanding


def _keys_in(data: bytes) -> dict[str, Key]:
    """Return the usable keys of a set.

    Raises:
        ValueError: it is no set, or has no key that is usable.
    """
    found = msgspec.json.decode(data, type=_KeySet).keys[:MAX_KEYS]
    keys = {entry["kid"]: key for entry in found if (key := _key_in(entry)) is not None}
    if not keys:
        raise ValueError(
            "the set has no public key with an id, for signatures, of a kind that tokens are signed by"
        )
    return keys


def _key_in(entry: dict[str, Any]) -> Key | None:
    """Return the public key that an entry is, None if it is another thing: a secret, or for encryption."""
    if entry.get("kty") not in _PARSERS or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    if not isinstance(entry.get("kid"), str):
        return None
    try:
        key = key_of(_PARSERS[entry["kty"]](entry))
    except (PyJWTError, ValueError, TypeError):  # what it says may hold the key, and is for nobody
        return None
    wanted = entry.get("alg")
    if wanted is None:
        return key
    return Key((wanted,), key.material) if wanted in key.algorithms else None

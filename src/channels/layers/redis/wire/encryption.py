"""What travels is bound to where it was sent, by an authentication code that needs a key.

Encryption hides a message and shows when it was changed. It does not show that somebody has taken
it from the topic of one group and published it on that of another. With
``symmetric_encryption_keys`` each envelope therefore ends in a code over the topic and all of the
envelope: kind, sender, number, channel and the encrypted message. An entry of a queue ends in one
over the queue's key, the entry's id and the message. The layer's own signals travel in such
envelopes as well.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.wire.sequencing import CONTROL, KINDS, MESSAGE, Envelope, encode_envelope, unseal

#: Bytes of an authentication code.
CODE_SIZE: Final = 16
#: Added to the kind of an envelope that ends in a code.
_WITH_CODE: Final = 0x10
_KINDS: Final = frozenset(kind + _WITH_CODE for kind in KINDS)
_LENGTH: Final = struct.Struct(">H")
#: Keeps keys and codes of one use apart from those of another.
_KEY, _TOPIC, _ENTRY = b"fairway.envelope", b"fairway.topic", b"fairway.entry"

OldEnvelopes: TypeAlias = Literal["refuse", "accept", "send"]


class NotAuthentic(ValueError):
    """What arrived was not sent here by anybody who has a key."""


class EnvelopeCipher:
    """Closes envelopes and entries of queues, and opens those that are authentic.

    Args:
        keys: those of ``symmetric_encryption_keys``; without any, envelopes have no code.
        old: what to do with envelopes without a code, as releases before this one send them:
            "refuse" them, "accept" them too, or even "send" them.
    """

    def __init__(
        self, keys: Sequence[str | bytes] | str | bytes | None = None, old: OldEnvelopes = "refuse"
    ) -> None:
        if old not in ("refuse", "accept", "send"):
            raise InvalidChannelLayerError(
                f'`old_envelopes` (CHANNEL_LAYERS, CONFIG) must be "refuse", "accept" or "send", got {old!r}.'
            )
        given = [keys] if isinstance(keys, str | bytes) else keys or []
        self._keys = [_derived(key) for key in given]
        self._accepts_old = not self._keys or old != "refuse"
        self._key = self._keys[0] if self._keys and old != "send" else None

    def seal(self, topic: bytes, envelope: Envelope) -> bytes:
        """Return the envelope as it travels on ``topic``."""
        if self._key is None:
            return encode_envelope(*envelope)
        data = encode_envelope(*envelope._replace(kind=envelope.kind + _WITH_CODE))
        return data + _code(self._key, _TOPIC, topic, data)

    def seal_message(self, topic: bytes, sender: bytes, number: int, channel: str, body: bytes) -> bytes:
        """Return a message as it travels on ``topic``."""
        if self._key is None:
            return encode_envelope(MESSAGE, sender, number, channel, body)
        return self.seal(topic, Envelope(MESSAGE, sender, number, channel, body))

    def seal_signal(self, topic: bytes, sender: bytes, signal: bytes) -> bytes:
        """Return a signal of the layer itself as it travels on ``topic``."""
        if self._key is None:
            return signal
        return self.seal(topic, Envelope(CONTROL, sender, 0, "", signal))

    def open_signal(self, topic: bytes, data: bytes) -> bytes:
        """Return the signal that came in on ``topic``; raises NotAuthentic as :meth:`open`."""
        envelope = self.open(topic, data)
        return data if envelope is None else envelope.body

    def open(self, topic: bytes, data: bytes) -> Envelope | None:
        """Return the envelope that came in on ``topic``, or None if it is none.

        Raises:
            NotAuthentic: there are keys, and it was not sealed with one of them for this topic.
        """
        if self._keys and data[:1] and data[0] in _KINDS:
            content = self._without_code(_TOPIC, topic, data, b"")
            return unseal(bytes([content[0] - _WITH_CODE]) + content[1:])
        if not self._accepts_old:
            raise NotAuthentic(f"What came on {_shown(topic)} has no authentication code.")
        return unseal(data)

    def seal_entry(self, queue: str, ident: bytes, body: bytes) -> bytes:
        """Return a message as the entry ``ident`` of a queue."""
        if self._key is None:
            return body
        return body + _code(self._key, _ENTRY, queue.encode(), ident + body)

    def open_entry(self, queue: str, ident: bytes, data: bytes) -> bytes:
        """Return the message of an entry.

        Raises:
            NotAuthentic: there are keys, and it was not sealed with one of them for this entry.
        """
        if not self._keys:
            return data
        try:
            return self._without_code(_ENTRY, queue.encode(), data, ident)
        except NotAuthentic:
            if self._accepts_old:
                return data
            raise

    def _without_code(self, use: bytes, place: bytes, data: bytes, ident: bytes) -> bytes:
        content, code = data[:-CODE_SIZE], data[-CODE_SIZE:]
        for key in self._keys:
            if hmac.compare_digest(code, _code(key, use, place, ident + content)):
                return content
        raise NotAuthentic(f"What came on {_shown(place)} was sent elsewhere, changed, or has another key.")


def _derived(key: str | bytes) -> bytes:
    """Return the key for codes that belongs to a key for encryption."""
    data = key.encode() if isinstance(key, str) else key
    return hashlib.blake2b(data, person=_KEY, digest_size=32).digest()


def _code(key: bytes, use: bytes, place: bytes, data: bytes) -> bytes:
    bound = _LENGTH.pack(len(place)) + place + data
    return hashlib.blake2b(bound, key=key, person=use, digest_size=CODE_SIZE).digest()


def _shown(place: bytes) -> str:
    return place.decode("utf-8", "replace")

"""The data representation of MQTT (5.0 section 1.5): integers, texts, binary data; read and written."""

from __future__ import annotations

from channels.protocols.mqtt.codes import MQTTError, malformed

#: The largest variable byte integer: four bytes.
MAX_VARINT = 268_435_455


class FieldReader:
    """Reads the fields of one packet from its first to its last byte.

    Args:
        data: the packet without its fixed header.
    """

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self._end - self._at

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        end = self._at + size
        if end > self._end:
            raise malformed("The packet ends within a field.")
        data = self._data[self._at : end]
        self._at = end
        return data

    def integer(self, size: int) -> int:
        """Take an integer of so many bytes."""
        return int.from_bytes(self.take(size))

    def u16(self) -> int:
        """Take an integer of two bytes; written out, as each PUBLISH has some (row "mqtt-publish-50")."""
        at, data = self._at, self._data
        self._at = at + 2
        if at + 2 > self._end:
            raise malformed("The packet ends within a field.")
        return data[at] << 8 | data[at + 1]

    def varint(self) -> int:
        """Take a variable byte integer, written as briefly as can be."""
        value = 0
        for place in range(4):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if place and not byte:
                    raise malformed("A variable byte integer is longer than it needs to be.")
                return value
        raise malformed("A variable byte integer has more than four bytes.")

    def binary(self) -> bytes:
        """Take binary data behind their length."""
        return self.take(self.u16())

    def text(self) -> str:
        """Take a text: UTF-8, without U+0000."""
        return checked_text(self.binary())

    def rest(self) -> bytes:
        """Take all that is left."""
        rest, self._at = self._data[self._at :], self._end
        return rest

    def end(self) -> None:
        """Refuse what is left."""
        if self.left:
            raise malformed("The packet has bytes behind its last field.")


def checked_text(data: bytes) -> str:
    """Return a text; raises MQTTError for what is no UTF-8 (surrogates are none) and for U+0000."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise malformed("A text is no UTF-8.") from None
    if "\0" in text:
        raise malformed("A text holds U+0000.")
    return text


def write_varint(value: int) -> bytes:
    """Return a variable byte integer; raises ValueError for one that needs more than four bytes."""
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"A variable byte integer is from 0 to {MAX_VARINT}, not {value}.")
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | 0x80 if value else low)
        if not value:
            return bytes(out)


def write_binary(data: bytes) -> bytes:
    """Return binary data behind their length; raises ValueError for more than 65,535 bytes."""
    if len(data) > 0xFFFF:
        raise ValueError(f"A text or binary field has at most 65535 bytes, not {len(data)}.")
    return len(data).to_bytes(2) + data


def write_text(text: str) -> bytes:
    """Return a text behind its length; raises ValueError for one that MQTT does not allow."""
    data = text.encode()  # surrogates raise UnicodeEncodeError, which is a ValueError
    try:
        checked_text(data)
    except MQTTError as error:
        raise ValueError(str(error)) from None
    return write_binary(data)

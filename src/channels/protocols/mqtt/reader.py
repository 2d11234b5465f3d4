"""The packets in one connection's bytes, as a server reads them."""

from __future__ import annotations

from collections.abc import Iterator

from channels.protocols.mqtt.codes import MQTTError, Reason, malformed, protocol_error
from channels.protocols.mqtt.decoding import FIRST_BYTES, check_first_byte, decode_body
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import V5, ConnAck, Connect, Packet, PingResp, Publish, SubAck, UnsubAck

#: The largest packet where nothing is said, in bytes.
MAX_PACKET = 262_144
#: What only a server sends.
_FROM_SERVERS = (ConnAck, SubAck, UnsubAck, PingResp)


class PacketReader:
    """Reads the packets of a client: a CONNECT, then any other. It holds no more than one of them.

    Args:
        max_size: the largest packet that is taken, with its fixed header, in bytes; from 1 on.

    Attributes:
        version: what the client's CONNECT has said: 4 for 3.1.1, 5 for 5.0, and 5 before.
        connected: the CONNECT has come.
        pending: bytes that are no whole packet yet.
    """

    __slots__ = ("_held", "_max", "connected", "version")

    def __init__(self, max_size: int = MAX_PACKET) -> None:
        self._max = max_size
        self._held = bytearray()
        self.version = V5
        self.connected = False

    @property
    def pending(self) -> int:
        """See the class."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take bytes as they came; return the packets that they complete.

        Raises:
            MQTTError: one is malformed, too large, or not the client's turn; by the iterator, behind those
                that came before it.
        """
        held = self._held
        if held:
            held += data
            yield from self._take(held)
        else:
            yield from self._take(data)

    def _take(self, data: bytes | bytearray) -> Iterator[Packet]:
        """Return the packets in ``data``, and hold what is behind the last whole one."""
        begin = 0
        try:
            while (found := self._next(data, begin)) is not None:
                first, body = data[begin], bytes(data[found[0] : found[1]])
                begin = found[1]
                yield self._decode(first, body)
        finally:
            if data is self._held:
                del self._held[:begin]
            elif begin < len(data):
                self._held += data[begin:]

    def _next(self, data: bytes | bytearray, begin: int) -> tuple[int, int] | None:
        """Return where the rest of a packet begins and ends; None: more has to come first."""
        size = len(data)
        if size <= begin:
            return None
        first = data[begin]
        if first not in FIRST_BYTES:
            check_first_byte(first)
        if not self.connected and first >> 4 != 1:
            raise protocol_error("The first packet of a client is CONNECT.")
        length = 0
        for place in range(4):
            at = begin + 1 + place
            if size <= at:
                return None
            length |= (data[at] & 0x7F) << 7 * place
            if data[at] < 0x80:
                end = at + 1 + length
                if end - begin > self._max:
                    raise MQTTError(Reason.PACKET_TOO_LARGE, f"A packet has more than {self._max} bytes.")
                return (at + 1, end) if size >= end else None
        raise malformed("The remaining length has more than four bytes.")

    def _decode(self, first: int, body: bytes) -> Packet:
        packet = decode_body(first, body, self.version)
        if isinstance(packet, Publish):  # most are
            if "subscription_identifier" in packet.properties:
                raise protocol_error("A PUBLISH of a client has no subscription identifier.")
        elif isinstance(packet, Connect):
            if self.connected:
                raise protocol_error("A client sends one CONNECT.")
            self.connected, self.version = True, packet.version
        elif isinstance(packet, _FROM_SERVERS):
            raise protocol_error(f"A client sends no {type(packet).__name__.upper()}.")
        return packet

    def pack(self, packet: Packet) -> bytes:
        """Return the bytes to send; raises ValueError for what cannot be written."""
        return encode_packet(packet, self.version)


class ServerPacketReader(PacketReader):
    """Reads the packets of a server, as a client does.

    Args:
        version: of the client's CONNECT.
    """

    __slots__ = ()

    def __init__(self, version: int = V5) -> None:
        super().__init__()
        self.version, self.connected = version, True

    def _decode(self, first: int, body: bytes) -> Packet:
        return decode_body(first, body, self.version)

"""Publications as differences: made once per format, whoever gets them."""

from __future__ import annotations

import base64
import enum
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from channels.protocols.centrifuge.fossil import create_binary_delta, create_text_delta
from channels.protocols.centrifuge.json_codec import json_string
from channels.protocols.centrifuge.messages import Publication


class Delta(enum.Enum):
    """How a subscriber gets publications.

    Attributes:
        NONE: as they are.
        WHOLE: the next one as it is, as the subscriber has none that a patch could be made for; then patches.
        PATCH: as patches of the one before, where that is shorter.
    """

    NONE = enum.auto()
    WHOLE = enum.auto()
    PATCH = enum.auto()


class Change:
    """A publication, and the one that a subscriber got before it.

    Args:
        publication: what was published.
        previous: what was published before it; None if that is not known.
        is_bytes: its data are bytes, which JSON connections get as Base64.
    """

    __slots__ = ("_is_bytes", "_patches", "_previous", "publication")

    def __init__(
        self, publication: Publication, previous: Publication | None, is_bytes: bool = False
    ) -> None:
        self.publication = publication
        self._is_bytes = is_bytes
        self._previous = previous
        self._patches: dict[bool, bytes | None] = {}

    def pushed(self, delta: Delta, binary: bool) -> Publication:
        """Return the publication as it is pushed.

        Args:
            delta: how the subscriber gets it. With deltas, payloads are strings on JSON connections.
            binary: the connection takes any bytes, not JSON only.
        """
        publication = for_subscriber(self.publication)
        if self._is_bytes and not binary:
            return msgspec.structs.replace(publication, data=base64_payload(publication.data))
        if delta is Delta.NONE:
            return publication
        patch = self._patch(binary) if delta is Delta.PATCH else None
        data = Raw(publication.data if patch is None else patch)
        data = data if binary else json_string(data)
        return msgspec.structs.replace(publication, data=data, delta=patch is not None)

    def _patch(self, binary: bool) -> bytes | None:
        if self._previous is None:
            return None
        if binary not in self._patches:
            create = create_binary_delta if binary else create_text_delta
            self._patches[binary] = create(bytes(self._previous.data), bytes(self.publication.data))
        return self._patches[binary]


def pushed_in_turn(
    publications: Iterable[Publication], delta: Delta, binary: bool, is_bytes: bool = False
) -> Iterator[Publication]:
    """Return publications that leave together: the first as it is, then patches if there are to be any."""
    previous = None
    for publication in publications:
        how = Delta.WHOLE if previous is None and delta is not Delta.NONE else delta
        yield Change(publication, previous, is_bytes).pushed(how, binary)
        previous = publication


def base64_payload(data: Raw) -> Raw:
    """Return bytes as JSON can carry them: a string in Base64 (RFC 4648)."""
    return Raw(b'"' + base64.b64encode(bytes(data)) + b'"')


def for_subscriber(publication: Publication) -> Publication:
    """Return a publication as it is pushed: the epoch goes with the first of a stream only."""
    if publication.epoch and publication.offset != 1:
        return msgspec.structs.replace(publication, epoch="")
    return publication

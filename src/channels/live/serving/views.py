"""What each user may have of the rows: where ``visible_to`` is defined."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from channels import telemetry
from channels.live.query import LiveQuery
from channels.live.rows import Change, Content, Key, encode_changes, encode_snapshot, read_content
from channels.live.serving.state import State
from channels.protocols.centrifuge.messages import Publication
from channels.topics.delivery.snapshots import View

logger = logging.getLogger("channels.live")

#: Publications of which it is remembered what they changed, for subscribers that get to them a little later.
REMEMBERED: Final = 128


class _Step(NamedTuple):
    """A publication, and what it led to.

    Attributes:
        content: of the publication.
        before: the rows that it changed, as they were.
        order: the keys, as they were after it.
        made: what was made of it, by what is visible.
    """

    content: Content
    before: dict[Key, bytes | None]
    order: list[Key]
    made: dict[tuple[Any, ...], Publication | None]


class Views:
    """What users may have of one live query.

    Args:
        topic: the query.
        state: its rows.
    """

    def __init__(self, topic: LiveQuery, state: State) -> None:
        self._topic, self._state = topic, state
        self._steps: dict[int, _Step] = {}
        self._decoded: dict[bytes, Any] = {}

    def snapshot(self, client: Any, publication: Publication) -> Publication:
        """Return the rows that a client may have."""
        rows = [(key, row) for key, row in self._state.rows.items() if self._visible(client.user, row)]
        return msgspec.structs.replace(publication, data=encode_snapshot(rows))

    def view_of(self, client: Any) -> View:
        """Return what a client gets of each publication."""
        return partial(self._view, client)

    def _view(self, client: Any, publication: Publication) -> Publication | None:
        step = self._step(publication)
        if step.content.snapshot is not UNSET:
            return self.snapshot(client, publication)
        seen = tuple(self._seen(client.user, step, change) for change in step.content.changes or ())
        same = tuple(None if each is None else (each.op, each.after) for each in seen)
        if same not in step.made:
            changes = [each for each in seen if each is not None]
            made = msgspec.structs.replace(publication, data=encode_changes(changes)) if changes else None
            step.made[same] = made
        return step.made[same]

    def _step(self, publication: Publication) -> _Step:
        """Follow a publication, if this is the first client to get it."""
        step = self._steps.get(publication.offset)
        if step is not None:
            return step
        content = read_content(publication.data)
        self._state.follow(publication.offset - 1)
        rows = self._state.rows
        before = {change.key: rows.get(change.key) for change in content.changes or ()}
        if self._state.position is not None and publication.offset == self._state.position.offset + 1:
            self._state.apply(publication)
        step = self._steps[publication.offset] = _Step(content, before, [key for key, _ in rows.items()], {})
        while len(self._steps) > REMEMBERED:
            del self._steps[next(iter(self._steps))]
        return step

    def _seen(self, user: Any, step: _Step, change: Change) -> Change | None:
        """Return a change as a user sees it: a row that is not visible any more is gone."""
        before = step.before.get(change.key)
        had = before is not None and self._visible(user, before)
        has = change.row is not UNSET and self._visible(user, bytes(change.row))
        if not has:
            return Change("delete", change.key) if had else None
        after = change.after
        if (after is UNSET and not had) or after not in (UNSET, None):
            after = self._before(user, step, change.key, step.order.index(change.key))
        return Change("change" if had else "insert", change.key, change.row, after)

    def _before(self, user: Any, step: _Step, key: Key, at: int) -> Key | None:
        """Return the key of the last visible row before a row."""
        for other in reversed(step.order[:at]):
            row = self._state.rows.get(other)
            if row is not None and self._visible(user, row):
                return other
        return None

    def _visible(self, user: Any, row: bytes) -> bool:
        decoded = self._decoded.get(row)
        if decoded is None:
            if len(self._decoded) > 2 * type(self._topic).max_rows:
                self._decoded.clear()
            decoded = self._decoded[row] = msgspec.json.decode(row)
        try:
            return bool(self._topic.visible_to(user, decoded))
        except Exception:
            telemetry.count("live.visibility_failed", topic=str(self._topic))
            logger.exception("Whether a row of %s is visible cannot be said, so it is not.", self._topic)
            return False

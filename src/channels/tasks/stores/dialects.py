"""In what the databases differ, as far as it concerns the statements of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """The way of one kind of database.

    Attributes:
        among: a condition on ``id`` by a subselect that is evaluated once.
        concatenation: of two texts.
        insert: how an insert begins that leaves out what is there already.
        conflict: how it ends.
        returning: whether an UPDATE can return what it has changed.
        lock: what lets a subselect pass over rows that another transaction is changing.
    """

    among: str
    concatenation: str
    insert: str
    conflict: str
    returning: bool
    lock: str


DIALECTS: Final = {
    "sqlite": Dialect(
        among="id IN ({})",
        concatenation="{} || {}",
        insert="INSERT INTO",
        conflict=" ON CONFLICT DO NOTHING",
        returning=True,
        lock="",
    ),
    "postgresql": Dialect(
        among="id = ANY(ARRAY({}))",
        concatenation="{} || {}",
        insert="INSERT INTO",
        conflict=" ON CONFLICT DO NOTHING",
        returning=True,
        lock=" FOR UPDATE SKIP LOCKED",
    ),
    # MariaDB and MySQL: no UPDATE ... RETURNING, and no LIMIT in a subselect of IN.
    "mysql": Dialect(
        among="id IN ({})",
        concatenation="CONCAT({}, {})",
        insert="INSERT INTO",
        conflict=" ON DUPLICATE KEY UPDATE id = id",
        returning=False,
        lock=" FOR UPDATE SKIP LOCKED",
    ),
}

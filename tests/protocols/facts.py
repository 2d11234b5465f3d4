"""What a connection has to tell whoever counts."""

from __future__ import annotations

from typing import Any


def amount_of(connection: Any, name: str) -> int:
    """How often something has happened on a connection since its facts were taken."""
    return sum(fact.amount for fact in connection.facts if fact.name == name)

"""What protocols have done of their own accord, counted: they know no telemetry."""

from __future__ import annotations

from typing import Protocol

from channels import telemetry
from channels.protocols.events import Fact


class HasFacts(Protocol):
    """A connection as the protocols have it."""

    facts: tuple[Fact, ...]


def count_facts(connection: HasFacts) -> None:
    """Take the facts of a connection and count each."""
    facts, connection.facts = connection.facts, ()
    for fact in facts:
        telemetry.count(fact.name, fact.amount, **fact.details)

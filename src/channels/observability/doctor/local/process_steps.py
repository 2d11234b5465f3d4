"""The processes that run: how each is, and what is lost, in the words of the inspector's red line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from django.apps import apps

from channels.exceptions import ChannelsError
from channels.layers.reach import layers_in_memory
from channels.observability.doctor.steps import Status, Step
from channels.observability.problems import problems_of, rates_between, totals_of

#: Seconds between two looks: what is lost meanwhile is lost now.
_BETWEEN: Final = 1.0
_DID: Final = "asked all processes how they are, twice"


def process_steps() -> Iterator[Step]:
    """Ask all processes, where they can be asked."""
    if apps.is_installed("channels.inspector") and "default" not in layers_in_memory():
        yield processes_step()


def processes_step() -> Step:
    """Ask all processes twice, and say what is wrong with them."""
    from channels.observability.fleet.current import ask  # needs models
    from channels.observability.fleet.questions import AskStatus

    try:
        before = ask(AskStatus())
        time.sleep(_BETWEEN)
        now = ask(AskStatus())
    except (ChannelsError, OSError) as error:
        return Step("processes", _DID, str(error), Status.SKIPPED, "See what is said of the layer.")
    if not now:
        return Step(
            "processes", _DID, "there is none", Status.SKIPPED, "Start the servers and workers first."
        )
    found = problems_of(now, rates_between(totals_of(before), totals_of(now), _BETWEEN))
    if not found:
        return Step("processes", _DID, f"{len(now)} answer, and nothing is lost")
    remedies = dict.fromkeys(each.remedy() for each in found)
    return Step(
        "processes", _DID, " ".join(each.text() for each in found), Status.WARNING, " ".join(remedies)
    )

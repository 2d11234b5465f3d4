"""Looks at all processes every two seconds while somebody looks at the pages, and tells those."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Any, Final

from channels import DEFAULT_CHANNEL_LAYER, telemetry
from channels.exceptions import ChannelsError
from channels.inspector.problems import SHOWN, plain, shown
from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.current import ask, layer_error
from channels.observability.fleet.questions import AskStatus
from channels.observability.problems import Problem, Totals, problems_of, rates_between, totals_of
from channels.process.platforms import after_fork_in_child
from channels.topics.delivery.hub import all_hubs

#: Seconds between two looks.
INTERVAL: Final = 2.0
#: How many are remembered, for the plots of who comes next: five minutes.
KEPT: Final = 150
#: Seconds that it goes on after the last one has left.
LINGER: Final = 60.0
#: The topics that it publishes to; the second is for those who may see numbers only.
NOW, COUNTS = "channels.inspector:now", "channels.inspector:counts"
#: What the plots show that is counted: its name, and the totals of which it is the sum.
RATES: Final = {
    "requests": ("requests",),
    "handshakes": ("websockets",),
    "delivered": ("delivered",),
}


class Sampler:
    """Samples of all processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._before: tuple[float, Totals] | None = None
        self._thread: threading.Thread | None = None
        self._wanted_until = 0.0

    def samples(self) -> list[dict[str, Any]]:
        """Return what was seen lately, the oldest first; one at least, of now."""
        with self._lock:
            fresh = bool(self._samples) and time.time() - self._samples[-1]["at"] < 2 * INTERVAL
        if not fresh:
            self.look()
        self.want()
        with self._lock:
            return list(self._samples)

    def want(self) -> None:
        """Look every two seconds from now on, as long as somebody is interested."""
        with self._lock:
            self._wanted_until = time.monotonic() + LINGER
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="channels-inspector", daemon=True)
                self._thread.start()

    def look(self) -> dict[str, Any]:
        """Look at all processes once."""
        answers = ask(AskStatus())
        with self._lock:
            sample = self._sample(answers)
            self._samples.append(sample)
        return sample

    def _run(self) -> None:
        while time.monotonic() < self._wanted_until:
            begun = time.monotonic()
            with contextlib.suppress(ChannelsError, OSError):
                sample = self.look()
                if _publish(NOW, sample) + _publish(COUNTS, counts_only(sample)):
                    self._wanted_until = time.monotonic() + LINGER
            time.sleep(max(0.1, INTERVAL - (time.monotonic() - begun)))

    def _sample(self, answers: list[NodeAnswer]) -> dict[str, Any]:
        now = time.time()
        totals = totals_of(answers)
        before_at, before = self._before or (now, {})
        changes = rates_between(before, totals, max(0.1, now - before_at))
        self._before = (now, totals)
        sums = {name: _sum(answers, name) for name in SHOWN}
        lags = [each.result.lag for each in answers if each.result is not None]
        rates = {
            name: round(sum(changes.get(total, 0.0) for total in parts), 2) for name, parts in RATES.items()
        }
        rates["dropped"] = round(sum(n for name, n in changes.items() if name.startswith("dropped.")), 2)
        return {
            "at": round(now, 1),
            "sums": sums,
            "rates": rates,
            "lag": round(1000 * max(lags, default=0.0), 1),
            "nodes": [plain(each) for each in answers],
            "problems": shown([*_layer_problems(), *problems_of(answers, changes)]),
        }


def _layer_problems() -> list[Problem]:
    """Return that the layer is away, by which this process asks the others, if it is."""
    error = layer_error()
    return [Problem("layer_away", {"name": DEFAULT_CHANNEL_LAYER, "error": error})] if error else []


def counts_only(sample: dict[str, Any]) -> dict[str, Any]:
    """Return a sample without names."""
    nodes = [{"state": each["state"]} for each in sample["nodes"]]
    return {**sample, "nodes": nodes, "problems": [{"text": "", "remedy": ""} for _ in sample["problems"]]}


def _sum(answers: list[NodeAnswer], name: str) -> int:
    return sum(each.result.counts.get(name, 0) for each in answers if each.result is not None)


def _publish(name: str, sample: dict[str, Any]) -> bool:
    """Tell those of this process who look at a topic; returns whether there are any."""
    from channels.inspector.topics import Pulse  # needs settings

    lookers = [live for hub in all_hubs() if (live := hub.find(name)) is not None]
    if not any(map(len, lookers)):
        return False
    try:
        Pulse(page=name.rpartition(":")[2]).publish(sample, now=True)
    except ChannelsError as error:
        telemetry.count("fleet.sample_lost", error=type(error).__name__)
    return True


sampler: Sampler = Sampler()


def _begin_anew() -> None:
    global sampler
    sampler = Sampler()


after_fork_in_child(_begin_anew)

"""The figures of one process, as they are kept, written to a file and added to those of others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, TypeVar

import msgspec

from channels.observability.metrics.families import FAMILIES, MOST_SETS, OTHER

#: The values of a family's labels, in their order.
Labels: TypeAlias = tuple[str, ...]
T = TypeVar("T")
#: Characters of a label's value that are kept.
_LONGEST: Final = 100


class Histogram(msgspec.Struct, array_like=True):
    """How many values fell into each bucket, the last one without a bound, and their sum."""

    counts: list[int]
    sum: float = 0.0

    def observe(self, bounds: tuple[float, ...], value: float) -> None:
        """Note a value, given the upper bounds of the buckets."""
        self.counts[bisect_left(bounds, value)] += 1
        self.sum += value


class Samples(msgspec.Struct):
    """Figures by family and labels.

    Attributes:
        counters, gauges, histograms: see :class:`~channels.observability.metrics.families.Family`.
    """

    counters: dict[str, dict[Labels, float]] = {}
    gauges: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, Histogram]] = {}

    def count(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        """Add to a counter."""
        kept = self.counters.setdefault(name, {})
        labels = _bounded(kept, labels)
        kept[labels] = kept.get(labels, 0) + amount

    def observe(self, name: str, value: float, labels: Labels = ()) -> None:
        """Note a value of a histogram."""
        self.histogram(name, labels).observe(FAMILIES[name].buckets, value)

    def histogram(self, name: str, labels: Labels) -> Histogram:
        """Return the histogram for labels, so that those who note often look it up once."""
        kept = self.histograms.setdefault(name, {})
        labels = _bounded(kept, labels)
        histogram = kept.get(labels)
        if histogram is None:
            histogram = kept[labels] = Histogram([0] * (len(FAMILIES[name].buckets) + 1))
        return histogram

    def set(self, name: str, value: float, labels: Labels = ()) -> None:
        """Say how a gauge is now; said twice, the two are merged as the family says."""
        kept = self.gauges.setdefault(name, {})
        labels = _bounded(kept, labels)
        before = kept.get(labels, 0.0)
        kept[labels] = max(before, value) if FAMILIES[name].merge == "max" else before + value

    def add(self, other: Samples, *, gauges: bool = True) -> None:
        """Add the figures of another process.

        Args:
            other: its figures. What this release does not know of another one's is left out.
            gauges: those too; not of a process that has ended.
        """
        for name, labels, value in _known(other.counters):
            self.count(name, labels, value)
        for name, labels, histogram in _known(other.histograms):
            self._add_histogram(name, labels, histogram)
        for name, labels, value in _known(other.gauges) if gauges else ():
            self.set(name, value, labels)

    def _add_histogram(self, name: str, labels: Labels, other: Histogram) -> None:
        if len(other.counts) != len(FAMILIES[name].buckets) + 1:
            return
        kept = self.histograms.setdefault(name, {})
        labels = _bounded(kept, labels)
        mine = kept.get(labels)
        counts = (
            other.counts if mine is None else [a + b for a, b in zip(mine.counts, other.counts, strict=True)]
        )
        kept[labels] = Histogram(list(counts), other.sum + (0.0 if mine is None else mine.sum))


def _bounded(kept: Mapping[Labels, object], labels: Labels) -> Labels:
    """Return labels, or those of all others where a family has too many sets already."""
    if labels in kept:
        return labels
    if len(kept) >= MOST_SETS:
        return (OTHER,) * len(labels)
    return tuple(value[:_LONGEST] for value in labels)


def _known(figures: Mapping[str, Mapping[Labels, T]]) -> Iterator[tuple[str, Labels, T]]:
    """Return the figures whose family and number of labels are those of this release."""
    for name, by_labels in figures.items():
        family = FAMILIES.get(name)
        for labels, value in by_labels.items():
            if family is not None and len(family.labels) == len(labels):
                yield name, labels, value

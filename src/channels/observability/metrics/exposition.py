"""Figures as Prometheus reads them, by the library of Prometheus itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from channels.observability.metrics.directory import MetricsUnavailable
from channels.observability.metrics.families import FAMILIES, Family
from channels.observability.metrics.samples import Histogram, Samples

try:
    import prometheus_client
    from prometheus_client import core, exposition
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MetricsUnavailable(
        "Metrics need the library of Prometheus: python -m pip install 'django-fairway[metrics]'."
    ) from error


def render(samples: Samples, accept: str = "") -> tuple[bytes, str]:
    """Write figures in the format that a client asks for.

    Args:
        samples: the figures.
        accept: the client's Accept header.

    Returns:
        The text, and its content type.
    """
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(registry_of(samples)), content_type


def registry_of(samples: Samples) -> prometheus_client.CollectorRegistry:
    """Return a registry of the library with these figures, for whatever the library can do with one."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(_Figures(samples))
    return registry


class _Figures(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[core.Metric]:
        """Return every family, in the order of the table; also those without figures."""
        for family in FAMILIES.values():
            yield _WRITERS[family.kind](family, self._samples)


def _counter(family: Family, samples: Samples) -> core.Metric:
    metric = core.CounterMetricFamily(family.exposed, family.text, labels=family.labels)
    for labels, value in samples.counters.get(family.name, {}).items():
        metric.add_metric(labels, value)
    return metric


def _gauge(family: Family, samples: Samples) -> core.Metric:
    metric = core.GaugeMetricFamily(family.exposed, family.text, labels=family.labels)
    for labels, value in samples.gauges.get(family.name, {}).items():
        metric.add_metric(labels, value)
    return metric


def _histogram(family: Family, samples: Samples) -> core.Metric:
    metric = core.HistogramMetricFamily(family.exposed, family.text, labels=family.labels)
    for labels, value in samples.histograms.get(family.name, {}).items():
        metric.add_metric(labels, _buckets(family, value), value.sum)
    return metric


def _buckets(family: Family, histogram: Histogram) -> list[Any]:
    bounds = [*map(repr, family.buckets), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))


_WRITERS = {"counter": _counter, "gauge": _gauge, "histogram": _histogram}

"""The Temporal SDK's own metrics, on the page that a process has for its others.

The SDK would open a port of its own for them. It also hands out each change; they are added up here, under
the names that its own page would have: counters end in `_total`, durations in `_seconds`.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetric,
    MetricBuffer,
    MetricBufferDurationFormat,
)

BUFFERED = 100_000  # changes: an activity makes about thirty
DRAINED_EVERY = 2.0  # seconds
BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_TYPES = {
    BUFFERED_METRIC_KIND_COUNTER: "counter",
    BUFFERED_METRIC_KIND_GAUGE: "gauge",
    BUFFERED_METRIC_KIND_HISTOGRAM: "histogram",
}

Labels = tuple[tuple[str, str], ...]


@dataclass
class _Observed:
    """`within`: how many came to lie in each bucket, the last one without a bound."""

    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.within[bisect_left(BOUNDS, value)] += 1
        self.total += value


@dataclass
class _Series:
    name: str
    kind: str
    help: str
    values: dict[Labels, float] = field(default_factory=dict)
    observed: dict[Labels, _Observed] = field(default_factory=dict)

    def add(self, labels: Labels, value: float) -> None:
        if self.kind == "histogram":
            self.observed.setdefault(labels, _Observed()).add(value)
        elif self.kind == "counter":
            self.values[labels] = self.values.get(labels, 0) + value
        else:
            self.values[labels] = value

    def metric(self) -> Metric:
        metric = Metric(self.name, self.help, self.kind)
        name = f"{self.name}_total" if self.kind == "counter" else self.name
        for labels, value in self.values.items():
            metric.add_sample(name, dict(labels), value)
        for labels, observed in self.observed.items():
            count = 0
            for bound, within in zip((*map(str, BOUNDS), "+Inf"), observed.within, strict=True):
                count += within
                metric.add_sample(f"{self.name}_bucket", {**dict(labels), "le": bound}, count)
            metric.add_sample(f"{self.name}_count", dict(labels), count)
            metric.add_sample(f"{self.name}_sum", dict(labels), observed.total)
        return metric


class SdkMetrics(Collector):
    """What the SDK's runtime with this `buffer` has told until now. Not for other threads."""

    def __init__(self) -> None:
        self.buffer = MetricBuffer(BUFFERED, MetricBufferDurationFormat.SECONDS)
        self.runs = False  # a runtime has the buffer
        self._series: dict[str, _Series] = {}

    async def keep_drained(self) -> None:
        """Without end: what the buffer has no room for would be lost, whether or not anybody looks."""
        while True:
            await asyncio.sleep(DRAINED_EVERY)
            self._drain()

    def collect(self) -> Iterable[Metric]:
        self._drain()
        return [series.metric() for series in self._series.values()]

    def describe(self) -> Iterator[Metric]:
        """Nothing: the names are the SDK's, and known when it tells them."""
        return iter(())

    def _drain(self) -> None:
        for update in self.buffer.retrieve_updates() if self.runs else ():
            self._of(update.metric).add(_labels(update.attributes), update.value)

    def _of(self, metric: BufferedMetric) -> _Series:
        name = f"{metric.name}_seconds" if metric.unit == "s" else metric.name
        if name not in self._series:
            self._series[name] = _Series(name, _TYPES[metric.kind], metric.description or "")
        return self._series[name]


def _labels(attributes: Mapping[str, str | int | float | bool]) -> Labels:
    return tuple(sorted((name, str(value)) for name, value in attributes.items()))


SDK_METRICS = SdkMetrics()  # of this process, as its page is
REGISTRY.register(SDK_METRICS)

"""The pages that Prometheus reads of our processes."""

import asyncio
import urllib.request
from contextlib import suppress

from prometheus_client.parser import text_string_to_metric_families

from devstack.app import App
from tests.lab import eventually

Labels = frozenset[tuple[str, str]]

# What dashboards and alerts ask of the SDK, and every worker tells once it has worked.
OF_THE_SDK = {
    "temporal_activity_execution_latency_seconds_bucket",
    "temporal_activity_schedule_to_start_latency_seconds_bucket",
    "temporal_num_pollers",
    "temporal_request_total",
    "temporal_request_latency_seconds_bucket",
    "temporal_worker_task_slots_available",
    "temporal_worker_task_slots_used",
}


class Page:
    """One look at a page: samples by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            suffix = "_total" if family.type == "counter" else ""
            self._samples.setdefault(f"{family.name}{suffix}", {})  # known, though there is no sample yet
            for sample in family.samples:
                of_name = self._samples.setdefault(sample.name, {})
                labels = frozenset(sample.labels.items())
                assert labels not in of_name, f"{sample.name} {dict(labels)} stands there twice"
                of_name[labels] = sample.value

    def names(self) -> set[str]:
        return set(self._samples)

    def told(self) -> set[str]:
        """Those of which there is a number."""
        return {name for name, samples in self._samples.items() if samples}

    def of(self, name: str, **labels: str) -> float:
        """The sum of those with these labels, among others."""
        return sum(
            value for given, value in self._samples.get(name, {}).items() if labels.items() <= set(given)
        )

    def by(self, name: str, label: str) -> dict[str, float]:
        """Its sums by the values of one label."""
        found: dict[str, float] = {}
        for given, value in self._samples.get(name, {}).items():
            each = dict(given).get(label, "")
            found[each] = found.get(each, 0.0) + value
        return found


async def page(app: App, name: str) -> Page:
    """Once it is there: an earlier test may have started the process again a moment ago."""

    async def look() -> Page | None:
        with suppress(OSError, IndexError):
            return await page_at(app.told_at(name))
        return None

    found = await eventually(look, f"the page of {name}")
    assert found is not None
    return found


async def page_at(url: str) -> Page:
    def read() -> str:
        with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    return Page(await asyncio.to_thread(read))

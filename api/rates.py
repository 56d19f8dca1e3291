"""How often one key may ask."""

import time

from api import metrics
from api.problems import refused

MANY = 10_000  # buckets that are kept


class Rates:
    """A token bucket for each caller, in this process: with N processes a key may ask N times as often.

    One shared in Redis would cost every poll a second round trip to it.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """HTTPException 429 with Retry-After when the bucket is empty."""
        now = time.monotonic()
        left, since = self._buckets.get(caller, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        if left < 1:
            metrics.LIMITED.inc()
            wait = int((1 - left) / self._per_second) + 1
            raise refused(429, "too_many_requests", "This key asks too often.", Retry_After=str(wait))
        if len(self._buckets) >= MANY:
            full = now - self._burst / self._per_second
            self._buckets = {key: kept for key, kept in self._buckets.items() if kept[1] > full}
        self._buckets[caller] = (left - 1, now)

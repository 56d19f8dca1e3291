"""Whether a message may name an academy beside the owner of what it shares."""

import logging
from collections.abc import Callable, Sequence
from typing import Literal

from clients import metrics
from contracts.queues.binding import Binding

log = logging.getLogger(__name__)


class TenantBindings:
    """`of(queue)` is what `contracts.queues.parse` asks about a message of that queue.

    Without a key nothing is asked. `warn` says and counts what `require` refuses.
    """

    def __init__(self, keys: Sequence[bytes], mode: Literal["warn", "require"]) -> None:
        self._keys = keys
        self._mode = mode

    def of(self, queue: str) -> Callable[[Binding], None] | None:
        if not self._keys:
            return None

        def check(binding: Binding) -> None:
            """Raises Poison, unless it only warns."""
            refusal = binding.refusal(self._keys)
            metrics.BINDINGS.labels(queue, refusal.code if refusal else "valid").inc()
            if refusal is None:
                return
            about = f"tenant {binding.academy} with what {binding.owner} owns"
            if self._mode == "require":
                log.error("a message of %s is refused: %s: %s", queue, about, refusal.code)
                raise refusal
            log.warning("a message of %s would be refused: %s: %s", queue, about, refusal)

        return check


UNCHECKED = TenantBindings((), "require")

"""Once a day: what was kept long enough goes."""

import logging

from activities.implements import implements
from contracts.activities import ops
from intake.retention import Retention

log = logging.getLogger(__name__)


class RetentionActivities:
    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    @implements(ops.RETAIN)
    async def retain(self) -> dict[str, int]:
        """Returns how much went of each kind."""
        found = await self._retention.run(enforce=True)
        for each in found:
            if each.over:
                log.info("%s: %d were over, %d went", each.what, each.over, each.removed)
        return {each.what: each.removed for each in found if each.removed}

"""The size of each group of workers, where Temporal's schedule keeps it and no Lambda function."""

from collections.abc import Sequence

from activities.implements import implements
from contracts.activities import ops
from contracts.scaling import Group
from intake.scaling import Scaler


class ScaleActivities:
    def __init__(self, scaler: Scaler | None, groups: Sequence[Group]) -> None:
        self._scaler = scaler
        self._groups = groups

    @implements(ops.SCALE)
    async def scale(self) -> dict[str, int]:
        """Name → desired size; empty where nothing is scaled from here."""
        return await self._scaler.scale(self._groups) if self._scaler else {}

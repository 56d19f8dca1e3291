"""One look at each group of workers, once a minute, and its size from then on. Who calls is a Lambda function
or a schedule of Temporal's; nothing is kept between two looks but the groups themselves."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError
from temporalio.client import Client
from temporalio.service import RPCError

from clients import fleet
from clients.autoscaling import Groups, GroupState, NoGroup
from clients.depths import Depths
from contracts.scaling import BESIDE, QUEUES, SOURCES, Group
from rules.scaling import Decision, Policy, Reading, decide

AWS_ERRORS = (BotoCoreError, ClientError)
HEARTBEATS_MISSED = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Seen:
    waiting: fleet.Waiting
    working: fleet.Working


class Scaler:
    """`heartbeat`: seconds between two words of a worker."""

    def __init__(self, client: Client, groups: Groups, depths: Depths, heartbeat: float) -> None:
        self._client = client
        self._groups = groups
        self._depths = depths
        self._silent = timedelta(seconds=heartbeat * HEARTBEATS_MISSED)

    async def scale(self, groups: Sequence[Group]) -> dict[str, int]:
        """Name → desired size, of those that AWS told of. What fails for one keeps no other from its size."""
        sizes = {}
        for group in groups:
            try:
                sizes[group.name] = await self._scale(group)
            except (*AWS_ERRORS, NoGroup) as error:
                log.error("%s is not scaled: %s", group.name, error)
        return sizes

    async def _scale(self, group: Group) -> int:
        state = await asyncio.to_thread(self._groups.state, group.name)
        seen = await self._look(group)
        policy = Policy(
            slots=group.slots,
            task_seconds=group.task_seconds,
            target_seconds=group.target_seconds,
            quiet_ticks=group.quiet_ticks,
            least=state.least,
            most=state.most,
        )
        reading = _reading(seen, state) if seen else None
        decision = decide(reading, policy, state.quiet, state.desired)
        await asyncio.to_thread(self._change, group.name, state, seen, decision)
        await self._tell(group, seen, decision)
        return decision.desired

    async def _look(self, group: Group) -> Seen | None:
        """None where Temporal does not say: nothing follows from that."""
        queues = QUEUES[group.kind]
        try:
            waiting, working = await asyncio.gather(
                fleet.waiting(self._client, queues),
                fleet.working(self._client, queues + BESIDE[group.kind], self._silent),
            )
        except (RPCError, RuntimeError) as error:  # the latter where no connection is made
            log.error("%s keeps its size: Temporal does not tell of it: %s", group.name, error)
            return None
        return Seen(waiting=waiting, working=working)

    def _change(self, name: str, state: GroupState, seen: Seen | None, decision: Decision) -> None:
        """Protection before size: AWS chooses who goes, and may choose among the idle only."""
        if seen:
            idle = state.in_service & (seen.working.heard - seen.working.busy)
            goes = idle if decision.desired < state.desired else frozenset()
            self._groups.protect(name, state.in_service - goes - state.protected, on=True)
            self._groups.protect(name, goes & state.protected, on=False)
        if decision.desired != state.desired:
            log.info("%s: from %d to %d", name, state.desired, decision.desired)
            self._groups.resize(name, decision.desired)
        if decision.quiet != state.quiet:
            self._groups.remember(name, decision.quiet)

    async def _tell(self, group: Group, seen: Seen | None, decision: Decision) -> None:
        """Figures are for people and alarms: where they cannot be told, the size stands all the same."""
        try:
            sources = SOURCES[group.kind]
            depth = await asyncio.to_thread(self._depths.waiting, sources)
            figures: dict[str, float] = {"Desired": decision.desired, "ReadingFailed": 0 if seen else 1}
            figures["DeadLetters"] = await asyncio.to_thread(self._depths.dead, sources)
            if seen:
                figures["QueueDepth"] = depth + seen.waiting.tasks
                figures["BacklogAge"] = seen.waiting.oldest.total_seconds()
                figures["SlotsUsed"] = seen.working.used
                figures["WorkersHeard"] = len(seen.working.heard)
            await asyncio.to_thread(self._groups.publish, group.kind, figures)
        except AWS_ERRORS as error:
            log.warning("figures of %s are not told: %s", group.name, error)


def _reading(seen: Seen, state: GroupState) -> Reading:
    ours = state.in_service
    return Reading(
        backlog=seen.waiting.tasks,
        used=seen.working.used,
        desired=state.desired,
        in_service=len(ours),
        busy=len(seen.working.busy & ours),
        heard=len(seen.working.heard & ours),
    )

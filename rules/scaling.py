"""How many instances a kind of worker needs, from what waits and what runs."""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`task_seconds`: what a task takes on average. `target_seconds`: in how many what waits shall be done by
    those who are there; below the time that an instance takes to boot, more of them help nobody.
    `quiet_ticks`: readings in a row that ask for less before there are less."""

    slots: int
    task_seconds: float
    target_seconds: float
    quiet_ticks: int = 2
    least: int = 1
    most: int = 10

    def __post_init__(self) -> None:
        if min(self.slots, self.least, self.quiet_ticks) < 1 or self.most < self.least:
            raise ValueError("slots, least and quiet_ticks are 1 or more, and most is not below least")
        if not (self.task_seconds > 0 and self.target_seconds > 0):
            raise ValueError("task_seconds and target_seconds are above 0")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """`desired` and `in_service` are the group's own, who alone knows what it has started. `busy`: instances
    whose workers have a task; `heard`: those whose workers tell how they are. One that starts is in neither,
    one that stopped may be told of for a while and is counted by nobody."""

    backlog: int
    used: int
    desired: int
    in_service: int
    busy: int
    heard: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    desired: int
    quiet: int  # readings in a row that asked for less; goes into the next decision


def decide(reading: Reading | None, policy: Policy, quiet: int, now: int) -> Decision:
    """`now` is the group's desired size, which stays where nothing could be read.

    Out at once; in after `quiet_ticks`, and never below what works, or may work: an instance that nobody has
    heard of may be busy.
    """
    if reading is None:
        return Decision(desired=now, quiet=quiet)
    work = reading.used + reading.backlog * policy.task_seconds / policy.target_seconds
    wanted = _between(policy, ceil(work / policy.slots))
    if wanted >= reading.desired:
        return Decision(desired=wanted, quiet=0)
    if quiet + 1 < policy.quiet_ticks:
        return Decision(desired=_between(policy, reading.desired), quiet=quiet + 1)
    unheard = max(0, reading.in_service - reading.heard)
    kept = max(wanted, min(reading.desired, reading.busy + unheard))
    return Decision(desired=_between(policy, kept), quiet=quiet + 1)


def _between(policy: Policy, count: int) -> int:
    return max(policy.least, min(policy.most, count))

"""Faults that tests order: at which step, of what kind, how often, for whose job."""

import random
from collections.abc import Set
from itertools import count
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

Step = Literal[
    "create",
    "add",
    "send",
    "schedule",
    "cancel",
    "get",
    "messages",
    "delete",
    "groups",
    "list",
    "send_many",
    "balance",
    "upload",
    "templates",
    "channels",
]

Kind = Literal[
    "429",  # refused, with Retry-After
    "503_before",  # refused
    "503_after",  # done, and answered as if it were not
    "reset_before",  # connection reset before anything was done
    "reset_after",  # done, and the connection reset instead of an answer
    "slow",  # done at once, answered after `seconds`
    "truncated",  # done, and half of the JSON answered
    "stale",  # a read answers as of `seconds` ago
]


class Fault(BaseModel):
    """One ordered fault. `times` None is for ever; `probability` decides each call by its own `seed`."""

    model_config = ConfigDict(extra="forbid")

    id: int = 0
    step: Step
    kind: Kind
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    match: str | None = None  # a value among the group's custom fields
    seconds: float = Field(default=1.0, ge=0)
    retry_after: int = Field(default=1, ge=0)
    fired: int = 0

    _dice: random.Random = PrivateAttr()

    def model_post_init(self, _: object) -> None:
        self._dice = random.Random(self.seed)

    def fires(self, step: str, values: Set[str]) -> bool:
        """Whether this call is hit; counts it."""
        if self.step != step or (self.match is not None and self.match not in values):
            return False
        if self.times is not None and self.fired >= self.times:
            return False
        if self.probability < 1 and self._dice.random() >= self.probability:
            return False
        self.fired += 1
        return True


class FaultBook:
    """The ordered faults. A call is hit by at most one, the oldest that fires."""

    def __init__(self) -> None:
        self.faults: dict[int, Fault] = {}
        self._ids = count(1)

    def order(self, fault: Fault) -> Fault:
        fault.id, fault.fired = next(self._ids), 0
        self.faults[fault.id] = fault
        return fault

    def strike(self, step: str, values: Set[str]) -> Fault | None:
        return next((fault for fault in self.faults.values() if fault.fires(step, values)), None)

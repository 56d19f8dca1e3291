"""Which groups are scaled, and how: the setting `SCALER_GROUPS`, as JSON."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from contracts.base import Contract
from contracts.names import TaskQueue

Kind = Literal["video", "ai", "messaging"]

# What waits for the instances of a kind.
QUEUES: dict[Kind, tuple[TaskQueue, ...]] = {
    "video": (TaskQueue.VIDEO_ENCODE,),
    "ai": (TaskQueue.AI,),
    "messaging": (TaskQueue.MESSAGING, TaskQueue.MAIL, TaskQueue.DIGEST),
}
# What else they may have in hand: who does is not scaled in. Lectures' light tasks never wait alone; those of
# a GPU wait for somebody who has one.
BESIDE: dict[Kind, tuple[TaskQueue, ...]] = {
    "video": (TaskQueue.VIDEO_LIGHT,),
    "ai": (TaskQueue.AI_GPU,),
    "messaging": (),
}
# And their SQS queues, by our names, for the depth that is published.
SOURCES: dict[Kind, tuple[str, ...]] = {
    "video": ("video", "video-delete"),
    "ai": ("ai", "ai-lite", "ai-basic", "ai-premium", "tools"),
    "messaging": ("messaging",),
}


class Group(Contract):
    """An Auto Scaling group. `slots` of an instance; `task_seconds` of one task; `target_seconds` in which
    what waits shall be done. The defaults are those that `make simulate` found best (decision 54)."""

    kind: Kind
    name: str = Field(min_length=1, max_length=255)
    slots: PositiveInt
    task_seconds: PositiveFloat
    target_seconds: PositiveFloat = 450
    quiet_ticks: PositiveInt = 2

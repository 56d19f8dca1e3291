"""An activity as the workflow that asks for it and the worker that does it know it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Generic, TypeVar

from contracts.base import Contract
from contracts.names import TaskQueue

HEARTBEAT = timedelta(seconds=10)  # so long after its last beat a worker is taken for dead

In = TypeVar("In", bound=Contract | None)
Out = TypeVar("Out")


class Retry(Enum):
    """How `workflows.policies` goes on after a failure.

    INFRASTRUCTURE: a server, a worker or a disk is away for a while. PROVIDER: one on the internet, which
    says itself when to come again (`next_retry_delay`). OPTIONAL: what a job can do without must not hold it
    up, three tries and no more.
    """

    INFRASTRUCTURE = auto()
    PROVIDER = auto()
    OPTIONAL = auto()


@dataclass(frozen=True, kw_only=True)
class Activity(Generic[In, Out]):
    """`takes` is NoneType where there is no input. `start_to_close` bounds one try, `schedule_to_close` all
    of them; None is no bound. `heartbeat` tells that the worker lives, however the work goes
    (`activities.host.heartbeat`). `retry`: None leaves it to the server. `awaits_cancel`: who cancels waits
    until it has stopped. A caller that differs uses `dataclasses.replace`."""

    name: str
    takes: type[In]
    returns: type[Out]
    queue: TaskQueue
    start_to_close: timedelta
    schedule_to_close: timedelta | None = None
    schedule_to_start: timedelta | None = None
    heartbeat: timedelta = HEARTBEAT
    retry: Retry | None = Retry.INFRASTRUCTURE
    awaits_cancel: bool = False

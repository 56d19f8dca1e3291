"""The real messaging worker, which holds each of some jobs at a named point, and then dies or lets them go.

`python -m tests.faults.killed_messaging kill|hold FOLDER '{"messages-t7-0123456789ab": "after-send", …}'`
With `kill` it ends by SIGKILL when every job is at its point. With `hold` it makes the file `held` in
FOLDER, and goes on when there is a file `go`.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

from temporalio import activity

from activities.host.heartbeat import _Inbound
from activities.messaging.sending import SendActivities
from clients.database import credits, digests, mails, messaging_chunks, messaging_groups
from clients.smtp import Connection
from clients.solapi import Solapi
from intake.submit import Submitter
from rules.messaging.groups import ADDED, COMMITTED
from workers import __main__ as workers
from workers import messaging as messaging_worker

Call = Callable[..., Awaitable[Any]]

# The provider's calls, and what is written in the database, with the transaction still open.
CALLS: dict[str, tuple[Any, str]] = {
    "create": (Solapi, "create_group"),
    "add": (Solapi, "add"),
    "send": (Solapi, "send"),
    "poll": (Solapi, "messages"),
    "reserving": (credits, "reserve"),
    "adding": (messaging_chunks, "register"),
    "sent": (SendActivities, "_sent"),
}
# An activity has done everything, and Temporal does not hear of it.
ACTIVITIES = ("prepare", "reserve", "open_group", "add", "commit", "send", "poll")
POINTS = [f"{when}-{call}" for call in (*CALLS, "committing", "settling") for when in ("before", "after")]
POINTS += [f"answer-{name}" for name in ACTIVITIES]

# Of e-mails: the server's answers, and what is written between and after them.
MAIL_CALLS: dict[str, tuple[Any, str]] = {
    "accepts": (Connection, "accepts"),
    "beginning": (mails, "begin"),
    "take": (Connection, "take"),
}
MAIL_POINTS = [
    f"{when}-{call}" for call in (*MAIL_CALLS, "committing", "settling") for when in ("before", "after")
]
MAIL_POINTS += [f"answer-{name}" for name in ("open_group", "add", "commit", "send")]


# Of notices: what is written when one joins, and when they are gathered; and the start of what sends them.
NOTICE_CALLS: dict[str, tuple[Any, str]] = {"joining": (digests, "join"), "starting": (Submitter, "start")}
NOTICE_POINTS = [f"{when}-{call}" for call in NOTICE_CALLS for when in ("before", "after")]
NOTICE_POINTS.append("answer-prepare")
DIGEST_CALLS: dict[str, tuple[Any, str]] = {"gathering": (digests, "carry")}
DIGEST_POINTS = [f"{when}-gathering" for when in ("before", "after")] + POINTS


class Holder:
    """Holds each job of `plan` (workflow ID → point) once, until all are held."""

    def __init__(self, end: str, folder: Path, plan: dict[str, str]) -> None:
        self.end, self.go, self.all_held, self.plan = end, folder / "go", folder / "held", plan
        self.reached: set[str] = set()
        self.released = asyncio.Event()

    async def at(self, point: str) -> None:
        job = activity.info().workflow_id
        if self.plan.get(job) != point or self.released.is_set():
            return
        self.reached.add(job)
        if len(self.reached) == len(self.plan):
            if self.end == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            self.releasing = asyncio.create_task(self.release())
        await self.released.wait()

    async def release(self) -> None:
        self.all_held.touch()
        while not self.go.exists():
            await asyncio.sleep(0.05)
        self.released.set()

    def around(self, call: Call, name: str, applies: Callable[..., bool] = lambda *_: True) -> Call:
        @wraps(call)
        async def held(*args: Any, **kwargs: Any) -> Any:
            if not applies(*args):
                return await call(*args, **kwargs)
            await self.at(f"before-{name}")
            answer = await call(*args, **kwargs)
            await self.at(f"after-{name}")
            return answer

        return held

    def after_activity(self, execute: Call) -> Call:
        async def held(heartbeats: Any, given: Any) -> Any:
            answer = await execute(heartbeats, given)
            await self.at(f"answer-{activity.info().activity_type.removeprefix('messages.')}")
            return answer

        return held


def main(end: str, folder: str, plan: str) -> None:
    holder = Holder(end, Path(folder), json.loads(plan))
    for name, (owner, method) in (CALLS | MAIL_CALLS | NOTICE_CALLS | DIGEST_CALLS).items():
        setattr(owner, method, holder.around(getattr(owner, method), name))
    messaging_groups.move = holder.around(
        messaging_groups.move, "committing", lambda *a: a[2:4] == (ADDED, COMMITTED)
    )
    credits.settle = holder.around(credits.settle, "settling", lambda *a: bool(a[3]))
    _Inbound.execute_activity = holder.after_activity(_Inbound.execute_activity)  # type: ignore[method-assign]
    messaging_worker.SLOTS = messaging_worker.MAIL_SLOTS = 2 * len(POINTS)
    messaging_worker.DIGEST_SLOTS = 2 * len(POINTS)
    sys.argv[1:] = ["messaging"]
    workers.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

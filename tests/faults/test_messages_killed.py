"""The worker, Postgres or Temporal dies at every point of every step; each person gets one message."""

import asyncio
import json
import signal
from pathlib import Path
from uuid import UUID

import pytest

from devstack.app import running
from devstack.processes import Process
from tests.faults.killed_messaging import POINTS
from tests.lab import PATIENCE, Lab, eventually
from tests.messages import FAST, Mail, draft, phones, request

PEOPLE = 3
SPENT = PEOPLE * 20


class VisibilityLease:
    """One job for each point, and a worker that holds every one of them there."""

    def __init__(self, mail: Mail, end: str, folder: Path) -> None:
        self.mail, self.end, self.folder = mail, end, folder
        self.jobs: dict[str, tuple[int, UUID, list[str]]] = {}
        self.refused = (0, UUID(int=0))

    async def start(self, points: list[str]) -> Process:
        job_requests = []
        for point in points:
            tenant, wanted = await self.mail.account(), phones(PEOPLE)
            job_request = request(tenant, draft(), wanted)
            self.jobs[point] = tenant, job_request.job_id, wanted
            job_requests.append(job_request)
        plan = {f"messages-t{tenant}-{job.hex[:12]}": point for point, (tenant, job, _) in self.jobs.items()}
        # The provider refuses all of them, and the answer that says so is lost: nobody is left to add.
        tenant = await self.mail.account()
        job_requests.append(request(tenant, draft(), phones(PEOPLE, "40403")))
        self.refused = tenant, job_requests[-1].job_id
        plan[f"messages-t{tenant}-{self.refused[1].hex[:12]}"] = "answer-add"
        worker = self.mail.lab.stack.python(
            "doomed", "-m", "tests.faults.killed_messaging", self.end, str(self.folder), json.dumps(plan),
            **FAST, DB_POOL_SIZE="40",
        )  # fmt: skip
        worker.start()
        await asyncio.gather(*map(self.mail.submitter.submit, job_requests))
        return worker

    async def all_arrived(self) -> None:
        async def case(tenant: int, job: UUID, wanted: list[str]) -> None:
            row = await self.mail.ended(job, every=2)
            assert (row.state, row.error_code) == ("DONE", None)
            await self.mail.delivered_once(job, tenant, wanted, SPENT)

        ends = await asyncio.gather(*(case(*job) for job in self.jobs.values()), return_exceptions=True)
        assert {point: end for point, end in zip(self.jobs, ends, strict=True) if end} == {}
        tenant, job = self.refused
        assert (await self.mail.ended(job)).error_code == "NOT_DELIVERED"
        assert await self.mail.states(job) == [("REFUSED", "1061")] * PEOPLE
        assert (self.mail.sent(job), await self.mail.balance(tenant)) == ([], 1_000_000)


async def test_kill_9_at_every_point(lab: Lab, tmp_path: Path) -> None:
    held = VisibilityLease(Mail(lab), "kill", tmp_path)
    async with running(lab.stack, "ops"):
        doomed = await held.start(POINTS)
        assert await asyncio.to_thread(doomed.wait, PATIENCE) == -signal.SIGKILL
        async with running(lab.stack, "messaging", **FAST):
            await held.all_arrived()


@pytest.mark.slow
async def test_postgres_and_temporal_die_at_every_point(own_lab: Lab, tmp_path: Path) -> None:
    held = VisibilityLease(Mail(own_lab), "hold", tmp_path)
    async with running(own_lab.stack, "ops"):
        worker = await held.start(POINTS)
        try:

            async def look() -> bool:
                return (tmp_path / "held").exists()

            await eventually(look, "every job is at its point")
            for server in ("temporal", "postgres"):
                await asyncio.to_thread(own_lab.stack.kill, server)
            (tmp_path / "go").touch()
            await asyncio.sleep(2)  # everything that is tried meanwhile fails
            for server in ("temporal", "postgres"):
                await asyncio.to_thread(own_lab.stack.restart, server)
            await held.all_arrived()
        finally:
            await asyncio.to_thread(worker.stop, 10)

"""The provider fails at every step in every way; each person gets one message."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.messaging.manifest import compared
from devstack.app import App
from tests.messages import Mail, draft, phones, request

PEOPLE = 3
PRICE = 20
TOO_SLOW = 11.0  # seconds; the client gives up after 10, the adding client after 60
KINDS = ("429", "503_before", "503_after", "reset_before", "reset_after", "slow", "truncated")
STEPS = ("create", "add", "send", "messages", "get")
READS = ("messages", "get")


@dataclass(frozen=True)
class Order:
    """A fault to order, for one job."""

    step: str
    kind: str
    times: int = 1

    def options(self) -> dict[str, Any]:
        if self.kind == "slow":
            return {"times": self.times, "seconds": 2.0 if self.step == "add" else TOO_SLOW}
        # Before the group was made: lists are empty, groups are unknown.
        return {"times": self.times, "seconds": 60.0} if self.kind == "stale" else {"times": self.times}


MATRIX: dict[str, list[Order]] = {
    f"{step} {kind}": [Order(step, kind)]
    for step in STEPS
    for kind in (*KINDS, *(["stale"] if step in READS else []))
}
# What is read after a lost answer is itself stale, or lost; what is thrown away cannot be thrown away.
MATRIX |= {
    "send done three times over": [Order("send", "503_after", 3)],
    "send done, then an old state is read": [Order("send", "reset_after", 2), Order("get", "stale", 3)],
    "send done, then nothing is read": [Order("send", "reset_after"), Order("get", "503_before", 2)],
    "add lost twice, groups not deletable": [
        Order("add", "reset_after", 2),
        Order("delete", "503_before", 2),
    ],
    "add lost, deletion lost": [Order("add", "truncated"), Order("delete", "reset_after")],
    "everything once": [Order(step, "reset_after") for step in ("create", "add", "send", "messages")],
}


async def test_every_fault_at_every_step(workers: App, mail: Mail) -> None:
    async def case(orders: list[Order]) -> None:
        tenant, wanted = await mail.account(), phones(PEOPLE)
        job_request = request(tenant, draft(), wanted)
        ids = [
            await asyncio.to_thread(
                mail.simulator.fault, each.step, each.kind, match=job_request.job_id.hex, **each.options()
            )
            for each in orders
        ]
        await mail.submitter.submit(job_request)
        job = await mail.ended(job_request.job_id, every=2)
        fired = [await asyncio.to_thread(mail.simulator.fired, id) for id in ids]
        assert all(fired), f"a fault did not fire: {fired}"
        assert (job.state, job.error_code) == ("DONE", None)
        await mail.delivered_once(job_request.job_id, tenant, wanted, PEOPLE * PRICE)

    ends = await asyncio.gather(*map(case, MATRIX.values()), return_exceptions=True)
    assert {name: end for name, end in zip(MATRIX, ends, strict=True) if end} == {}


@pytest.mark.slow
async def test_ten_thousand_people_and_every_twentieth_answer_is_lost(workers: App, mail: Mail) -> None:
    """Twenty jobs for 250 each, and one for five thousand: what was done is answered too late or not
    at all in five of a hundred calls."""
    tenant, wanted = await mail.account(), phones(10_000)
    key = f"tenants/{tenant}/messages/list.jsonl"
    people = [{"id": str(n), "to": phone} for n, phone in enumerate(wanted[:5_000])]
    mail.lab.objects.put(key, "\n".join(map(json.dumps, people)).encode(), "application/jsonl")
    job_requests = [request(tenant, draft(), [], recipients_key=key)]
    job_requests += [
        request(tenant, draft(), wanted[start : start + 250]) for start in range(5_000, 10_000, 250)
    ]
    faults = [  # the first that hits a call, hits it alone
        mail.simulator.fault("send", "slow", times=1, match=job_requests[0].job_id.hex, seconds=TOO_SLOW),
        mail.simulator.fault("create", "reset_after", probability=0.05, seed=1),
        mail.simulator.fault("add", "reset_after", probability=0.05, seed=5),
        mail.simulator.fault("send", "slow", probability=0.05, seed=9, seconds=TOO_SLOW),
        mail.simulator.fault("messages", "truncated", probability=0.05, seed=7),
    ]
    await asyncio.gather(*map(mail.submitter.submit, job_requests))
    jobs = await asyncio.gather(*(mail.ended(job_request.job_id, every=1) for job_request in job_requests))
    assert all(mail.simulator.fired(id) for id in faults)
    assert {job.state for job in jobs} == {"DONE"}
    sent = [phone for job_request in job_requests for phone in mail.sent(job_request.job_id)]
    assert sorted(sent) == sorted(wanted)
    assert sum(job.result["delivered"] for job in jobs) == 10_000
    assert await mail.balance(tenant) == 1_000_000 - 10_000 * PRICE
    # It remembers all of them, and other tests have it compare its list with ours.
    await asyncio.to_thread(mail.lab.stack.restart, "solapi")


@pytest.mark.parametrize("code", ["reordered", "short"])
async def test_an_answer_that_does_not_fit_the_manifest(code: str) -> None:
    """The provider answers for other people than asked, or for fewer: that group is never sent."""
    wanted = {0: "01020000001", 1: "01020000002"}
    results = [{"to": to, "statusCode": "2000", "messageId": f"M{n}"} for n, to in wanted.items()]
    with pytest.raises(ApplicationError) as error:
        compared(wanted, results[::-1] if code == "reordered" else results[:1])
    assert error.value.type == "AmbiguousAdd"
    assert compared(wanted, results) == ({0: "M0", 1: "M1"}, [])

"""A load that waits for nobody: offered, accepted, final, lost and twice, by the asker's own list.

Whether a text came is said by the provider's ledger, whether a lecture plays by the bucket; the database only
says when a job was accepted and when it ended. Each round offers twice what the one before did, until one has
jobs that are done more than `LATE` seconds after they were asked for.
"""

import asyncio
import itertools
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from clients.database.models import Job
from contracts.jobs import FINAL_STATES
from contracts.video import hls_root
from devstack.producer import ai_body, encode_body, message_body
from tests.lab import CLIP, SAMPLE, Lab, eventually, fresh_id
from tests.messages import Mail, phones

SECONDS = 60.0
# Of the first round, a minute: as in an evening, in which texts are many and lectures few.
A_MINUTE = {"text": 60, "page": 6, "lecture": 3}
ROUNDS = 4
LATE = 60.0
LOOK_EVERY = 0.5
PAGE = SAMPLE.with_name("exam-page.png")


@dataclass
class Asked:
    kind: str
    tenant: int
    at: float
    phone: str = ""


@dataclass
class Round:
    """What came of a round; seconds from the producer's send to what a person waits for."""

    a_minute: int
    offered: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    final: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def told(self) -> dict[str, object]:
        return {
            "a_minute": self.a_minute,
            "offered": dict(self.offered),
            "accepted": self.accepted.total(),
            "final": self.final.total(),
            "lost": self.lost,
            "twice": self.twice,
            "wrong": self.wrong,
            "seconds": {kind: self.quantiles(kind) for kind in self.seconds},
        }

    def quantiles(self, kind: str) -> dict[str, float]:
        cuts = statistics.quantiles(self.seconds[kind], n=100, method="inclusive")
        return {name: round(cuts[at - 1], 2) for name, at in (("p50", 50), ("p95", 95), ("p99", 99))}


async def rounds(lab: Lab) -> list[Round]:
    done: list[Round] = []
    for factor in (2**n for n in range(ROUNDS)):
        found = await offer(lab, factor)
        done.append(found)
        late = max(max(each) for each in found.seconds.values())
        print(found.told(), flush=True)
        if late > LATE:
            break
    return done


async def offer(lab: Lab, factor: int) -> Round:
    """One round, and the wait until everything has ended."""
    mail = Mail(lab)
    mail.simulator.webhook(None)
    found = Round(a_minute=factor * sum(A_MINUTE.values()))
    plan = sorted(
        (n / (each * factor) * SECONDS, kind) for kind, each in A_MINUTE.items() for n in range(each * factor)
    )
    numbers = iter(phones(A_MINUTE["text"] * factor, "3"))
    accounts = itertools.cycle([await mail.account() for _ in range(10)])
    asked: list[Asked] = []

    async def ask(kind: str) -> None:
        tenant = next(accounts) if kind == "text" else fresh_id()
        each = Asked(kind, tenant, 0.0)
        match kind:
            case "text":
                each.phone = next(numbers)
                queue, body = "messaging", text_message(tenant, each.phone)
            case "lecture":
                key = await asyncio.to_thread(lab.producer.upload, tenant, CLIP)
                queue, body = "video", encode_body(tenant, tenant, key)
            case _:
                queue, body = "ai-basic", await page_message(lab, tenant)
        each.at = time.time()
        asked.append(each)
        await asyncio.to_thread(lab.send, queue, body)

    began = time.monotonic()
    async with asyncio.TaskGroup() as producers:
        for at, kind in plan:
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            producers.create_task(ask(kind))
    tenants = {each.tenant for each in asked}

    async def all_ended() -> bool:
        async with lab.engine.connect() as connection:
            query = select(Job.state).where(Job.tenant_id.in_(tenants))
            states = (await connection.execute(query)).scalars().all()
        return len(states) >= len(asked) and all(state in FINAL_STATES for state in states)

    await eventually(all_ended, "all that was offered ended", every=LOOK_EVERY)
    await _judge(lab, mail, asked, found)
    return found


async def _judge(lab: Lab, mail: Mail, asked: list[Asked], found: Round) -> None:
    ledger: dict[str, list[Any]] = {}
    for entry in await asyncio.to_thread(mail.simulator.ledger):
        ledger.setdefault(entry["to"], []).append(entry)
    for each in asked:
        found.offered[each.kind] += 1
        if each.kind == "text":
            sent = ledger.get(each.phone, [])
            found.lost += not sent
            found.twice += max(0, len(sent) - 1)
        elif each.kind == "lecture":
            masters = [
                key for key in lab.keys(hls_root(each.tenant, each.tenant)) if key.endswith("master.m3u8")
            ]
            found.lost += not masters
            found.twice += max(0, len(masters) - 1)
    by_tenant = {each.tenant: each for each in asked if each.kind != "text"}
    by_phone = {each.phone: each for each in asked if each.phone}
    for phone, each in by_phone.items():
        for entry in ledger.get(phone, [])[:1]:
            sent_at = datetime.fromisoformat(entry["dateSent"])
            found.seconds.setdefault("text", []).append(sent_at.timestamp() - each.at)
    async with lab.engine.connect() as connection:
        query = select(Job).where(Job.tenant_id.in_({each.tenant for each in asked}))
        for job in await connection.execute(query):
            other = by_tenant.get(job.tenant_id)
            kind = other.kind if other else "text"
            found.accepted[kind] += 1
            found.final[kind] += job.state in FINAL_STATES
            found.wrong += job.state not in ("DONE", "REVIEW_REQUIRED")
            if other:
                found.seconds.setdefault(kind, []).append(job.finished_at.timestamp() - other.at)


def text_message(tenant: int, phone: str) -> dict[str, Any]:
    return message_body(tenant, phone, "수업을 마치고 나갔습니다.", business_idempotency_key=uuid4().hex * 2)


async def page_message(lab: Lab, tenant: int) -> dict[str, Any]:
    key = f"tenants/{tenant}/uploads/{uuid4().hex}/page.png"
    await asyncio.to_thread(lab.objects.put, key, PAGE.read_bytes(), "image/png")
    payload = {"tenant_id": str(tenant), "file_key": key}
    return ai_body(tenant, f"job-{uuid4().hex}", "ocr", payload)

"""Recipients a second, from the request until the provider has them all, against two peers.

`solapi_kept` promises something: the official SDK's `send`, with a row for each recipient before, ids and a
ledger after (`bench.kept`). `ratio` and `cpu_ratio` are against it. `solapi_send` is the bare call, which
keeps nothing. All send a text with a name to 10,000 phones on the same fault-free simulator, in turns. Ours
ends when our database says of every recipient that the provider has it. The simulator pushes no reports:
nobody would take them, and they would fall into the others' time. CPU is that of the senders: our worker's,
bridge's and ops', the peer's own process's; not Postgres', Temporal's or the simulator's.
"""

import asyncio
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil
from solapi.model import RequestMessage
from solapi.model.request.send_message_request import SendRequestConfig

from bench import kept
from clients.database import messaging
from contracts.messaging import Recipient
from devstack.app import App, running
from tests.lab import Lab, eventually
from tests.messages import SENDER, Mail, draft, request

PEOPLE = 10_000
ROUNDS = 3
SINGLE, EVERY = 50, 0.5  # ten requests a second: half of what is allowed, so none waits for those before
TEXT = "[가나다학원] #{이름} 학생의 12월 시간표가 나왔습니다."


@dataclass
class Rates:
    """Recipients a second, and seconds of the sender's CPU for all of them, round by round."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def spent(self) -> float:
        return statistics.median(self.cpu)


async def run(lab: Lab) -> dict[str, object]:
    mail = Mail(lab)
    tenant = await mail.account(credit=100_000_000)
    mail.simulator.webhook(None)
    ours, bare, fair, finals = Rates(), Rates(), Rates(), []
    async with running(lab.stack, "bridge", "messaging", "ops") as app:
        for number in range(ROUNDS):
            for turn in range(3):
                match (number + turn) % 3:  # in turns who comes first
                    case 0:
                        finals.append(await our_rate(lab, mail, app, tenant, number, ours))
                    case 1:
                        await asyncio.to_thread(bare_rate, lab, number, bare)
                    case _:
                        await asyncio.to_thread(kept_rate, lab, number, fair)
            last = [f"{each.rates[-1]:.0f}/s {each.cpu[-1]:.2f} s" for each in (ours, fair, bare)]
            print(f"round {number + 1}: ours {last[0]}, kept {last[1]}, bare {last[2]}", flush=True)
        p50, p99 = await latency(lab, mail)
    return {
        "ours": round(ours.rate),
        "peers": {"solapi_kept": round(fair.rate), "solapi_send": round(bare.rate)},
        "ratio": round(ours.rate / fair.rate, 3),
        "unit": "recipients/s",
        "cpu_seconds": {"ours": round(ours.spent, 2), "solapi_kept": round(fair.spent, 2)},
        "cpu_ratio": round(fair.spent / ours.spent, 3),
        "until_final": round(statistics.median(finals)),
        "single_ms": {"p50": round(1000 * p50), "p99": round(1000 * p99)},
    }


def people(round_: int, first: int) -> list[tuple[str, str]]:
    """Phone and name of each; `first` keeps the senders' numbers apart."""
    return [(f"010{first + round_}{n:06}", f"학생{n}") for n in range(PEOPLE)]


def texts(round_: int, first: int) -> list[tuple[str, str]]:
    return [(phone, TEXT.replace("#{이름}", name)) for phone, name in people(round_, first)]


def used(app: App) -> float:
    """Seconds of CPU of our processes so far."""
    spent = 0.0
    for process in app.processes.values():
        for member in process.family():
            with suppress(psutil.Error):
                spent += sum(member.cpu_times()[:2])
    return spent


async def our_rate(lab: Lab, mail: Mail, app: App, tenant: int, number: int, rates: Rates) -> float:
    """Notes the rate until all are accepted; returns that until all have their final state."""
    key = f"tenants/{tenant}/messages/{number}.jsonl"
    lines = (
        Recipient(id=str(n), to=phone, variables={"이름": name}).model_dump_json()
        for n, (phone, name) in enumerate(people(number, 50))
    )
    await asyncio.to_thread(lab.objects.put, key, "\n".join(lines).encode(), "application/jsonl")
    before, began = used(app), time.monotonic()
    job = await mail.submitter.submit(request(tenant, draft(TEXT), [], recipients_key=key))

    async def sent() -> bool:
        group = await mail.group(tenant, job.job_id)
        return group is not None and group.state in ("SENT", "DONE")

    await eventually(sent, "the provider has all", every=0.02)
    rates.rates.append(PEOPLE / (time.monotonic() - began))
    rates.cpu.append(used(app) - before)
    async with lab.engine.connect() as connection:
        states = await messaging.counts(connection, job.job_id)
    assert sum(states.values()) == PEOPLE and "PENDING" not in states
    await mail.ended(job.job_id)
    return PEOPLE / (time.monotonic() - began)


def bare_rate(lab: Lab, number: int, rates: Rates) -> None:
    solapi, messages = kept.service(lab.settings), texts(number, 60)
    spent, began = time.process_time(), time.monotonic()
    requests = [RequestMessage(from_=SENDER, to=phone, text=text) for phone, text in messages]
    answer: Any = solapi.send(requests, SendRequestConfig(allow_duplicates=True))
    rates.rates.append(PEOPLE / (time.monotonic() - began))
    rates.cpu.append(time.process_time() - spent)
    assert answer.group_info.count.registered_success == PEOPLE


def kept_rate(lab: Lab, number: int, rates: Rates) -> None:
    solapi = kept.service(lab.settings)
    with kept.connected(lab.settings) as connection:
        spent, began = time.process_time(), time.monotonic()
        took = kept.send(connection, solapi, number, texts(number, 70), SENDER)
        rates.rates.append(PEOPLE / (time.monotonic() - began))
        rates.cpu.append(time.process_time() - spent)
    assert took == PEOPLE


async def latency(lab: Lab, mail: Mail) -> tuple[float, float]:
    """Seconds from the queue message until the provider has sent the SMS, by its own ledger."""
    tenant = await mail.account()
    sent = {}
    for n in range(SINGLE):
        phone = f"01077{n:06}"
        sent[phone] = time.time()
        now = datetime.now(UTC).isoformat()
        body = {"tenant_id": tenant, "to": phone, "text": "12월 시간표가 나왔습니다.", "created_at": now}
        await asyncio.to_thread(lab.send, "messaging", body | {"sender": None, "message_mode": "sms"})
        await asyncio.sleep(EVERY)
    await lab.ended(tenant, SINGLE)
    ledger = await asyncio.to_thread(mail.simulator.ledger)
    waits = [
        datetime.fromisoformat(each["dateSent"]).timestamp() - sent[each["to"]]
        for each in ledger
        if each["to"] in sent
    ]
    assert len(waits) == SINGLE
    return statistics.median(waits), statistics.quantiles(waits, n=100)[98]

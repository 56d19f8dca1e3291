"""Recipients a second, from the request until the provider has them all, against the official SDK's `send`.

Both send the same text to 10,000 phones on the same fault-free simulator, in turns. Ours ends when our
database says of every recipient that the provider has it; the SDK's ends when its call returns, and keeps
nothing. The simulator pushes no reports: nobody would take them, and they would fall into the other's time.
"""

import asyncio
import statistics
import time
from datetime import datetime
from typing import Any

from solapi import SolapiMessageService
from solapi.model import RequestMessage
from solapi.model.request.send_message_request import SendRequestConfig

from clients.database import messaging
from contracts.messaging import Recipient
from devstack.app import running
from tests.lab import Lab, eventually
from tests.messages import SENDER, Mail, draft, request

PEOPLE = 10_000
ROUNDS = 3
SINGLE, EVERY = 50, 0.5  # ten requests a second: half of what is allowed, so none waits for those before
TEXT = "[가나다학원] 12월 시간표가 나왔습니다."


async def run(lab: Lab) -> dict[str, object]:
    mail = Mail(lab)
    tenant = await mail.account(credit=100_000_000)
    mail.simulator.webhook(None)
    ours, finals, peer = [], [], []
    async with running(lab.stack, "bridge", "messaging", "ops"):
        for number in range(ROUNDS):
            # In turns who comes first.
            for first in (number % 2 == 0, number % 2 == 1):
                if first:
                    accepted, final = await workflow_rate(lab, mail, tenant, number)
                    ours.append(accepted)
                    finals.append(final)
                else:
                    peer.append(await asyncio.to_thread(sdk_rate, lab, number))
            print(f"round {number + 1}: ours {ours[-1]:.0f}/s, the SDK {peer[-1]:.0f}/s", flush=True)
        p50, p99 = await latency(lab, mail)
    rate, sdk = statistics.median(ours), statistics.median(peer)
    return {
        "ours": round(rate),
        "peers": {"solapi_send": round(sdk)},
        "ratio": round(rate / sdk, 3),
        "unit": "recipients/s",
        "until_final": round(statistics.median(finals)),
        "single_ms": {"p50": round(1000 * p50), "p99": round(1000 * p99)},
    }


def phones(round_: int) -> list[str]:
    return [f"010{50 + round_}{n:06}" for n in range(PEOPLE)]


async def workflow_rate(lab: Lab, mail: Mail, tenant: int, number: int) -> tuple[float, float]:
    """Recipients a second until all are accepted, and until all have their final state."""
    key = f"tenants/{tenant}/messages/{number}.jsonl"
    lines = (Recipient(id=str(n), to=phone).model_dump_json() for n, phone in enumerate(phones(number)))
    await asyncio.to_thread(lab.objects.put, key, "\n".join(lines).encode(), "application/jsonl")
    began = time.monotonic()
    job = await mail.submitter.submit(request(tenant, draft(TEXT), [], recipients_key=key))

    async def sent() -> bool:
        group = await mail.group(tenant, job.job_id)
        return group is not None and group.state in ("SENT", "DONE")

    await eventually(sent, "the provider has all", every=0.02)
    took = time.monotonic() - began
    async with lab.engine.connect() as connection:
        states = await messaging.counts(connection, job.job_id)
    assert sum(states.values()) == PEOPLE and "PENDING" not in states
    await mail.ended(job.job_id)
    return PEOPLE / took, PEOPLE / (time.monotonic() - began)


def sdk_rate(lab: Lab, number: int) -> float:
    secret = lab.settings.solapi_api_secret
    assert lab.settings.solapi_api_key and secret
    service = SolapiMessageService(lab.settings.solapi_api_key, secret.get_secret_value())
    service.base_url = lab.settings.solapi_base_url
    began = time.monotonic()
    texts = [RequestMessage(from_=SENDER, to=phone, text=TEXT) for phone in phones(number)]
    answer: Any = service.send(texts, SendRequestConfig(allow_duplicates=True))
    took = time.monotonic() - began
    assert answer.group_info.count.registered_success == PEOPLE
    return PEOPLE / took


async def latency(lab: Lab, mail: Mail) -> tuple[float, float]:
    """Seconds from the queue message until the provider has sent the SMS, by its own ledger."""
    tenant = await mail.account()
    sent = {}
    for n in range(SINGLE):
        phone = f"01077{n:06}"
        sent[phone] = time.time()
        body = {"tenant_id": tenant, "to": phone, "text": TEXT, "created_at": "2026-01-01T00:00:00Z"}
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

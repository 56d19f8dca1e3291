"""How many parents get a text twice, and how many none, when answers get lost and workers are killed.

300 texts each, counted by the simulator's own ledger, with the same seeded faults on every request that
changes something: 5 % are carried out and their connection reset, 2 % carried out and answered 503, 2 %
answered 503 before anything is done. Ours makes three such requests a text, the others one. The workers of
ours and of Celery are killed (`kill -9`) after each fifth of the texts; the naive loop, which keeps nothing,
is not. Ours runs without its limit on requests a second, which the others do not have.

`ratio` is ours ÷ the best of the others, in texts that went wrong; 0 is the goal.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import redis
from solapi import SolapiMessageService
from solapi.model import RequestMessage

from devstack.app import STOP_SECONDS, running
from devstack.processes import Process
from devstack.producer import message_body
from tests.lab import Lab, eventually
from tests.messages import FAST, SENDER, Mail

TEXTS = 300
FAULTS = (("reset_after", 0.05), ("503_after", 0.02), ("503_before", 0.02))
STEPS = ("create", "add", "send", "send_many")
SEED = 20261124
PARTS = 5  # a kill after each but the last
TEXT = "[가나다학원] 오늘 수업은 5시에 시작합니다."
NAIVE_TRIES = 5
QUIET = 3.0
LOOK_EVERY = 0.3


async def run(lab: Lab) -> dict[str, object]:
    mail = Mail(lab)
    counts: dict[str, dict[str, int]] = {}
    for name, method in (("ours", ours), ("sdk_retry", naive), ("celery", celery)):
        for number, step in enumerate(STEPS):
            for kind, probability in FAULTS:
                mail.simulator.fault(step, kind, probability=probability, seed=SEED + number)
        phones = [f"010{60 + len(counts)}{n:06}" for n in range(TEXTS)]
        await method(lab, mail, phones)
        mail.simulator.clear_faults()
        counts[name] = count(mail, phones)
        print(f"{name}: {counts[name]}", flush=True)
    wrong = {name: sum(each.values()) for name, each in counts.items()}
    best = min(wrong["sdk_retry"], wrong["celery"])
    return {
        "ours": counts["ours"],
        "peers": {name: counts[name] for name in ("sdk_retry", "celery")},
        "ratio": wrong["ours"] / best if best else None,
        "unit": f"texts of {TEXTS}",
    }


def count(mail: Mail, phones: list[str]) -> dict[str, int]:
    """What the carriers were given, against what was asked for."""
    got = texts_by_phone(mail, phones)
    return {
        "duplicates": sum(max(got[phone] - 1, 0) for phone in phones),
        "lost": sum(got[phone] == 0 for phone in phones),
    }


def texts_by_phone(mail: Mail, phones: list[str]) -> Counter[str]:
    wanted = set(phones)
    return Counter(each["to"] for each in mail.simulator.ledger() if each["to"] in wanted)


async def ours(lab: Lab, mail: Mail, phones: list[str]) -> None:
    """A queue message each, as the existing producers send them."""
    tenant = await mail.account()

    async def send_all() -> None:
        for phone in phones:
            await asyncio.to_thread(lab.send, "messaging", message_body(tenant, phone, TEXT))
        await lab.ended(tenant, TEXTS)

    async with running(lab.stack, "bridge", "messaging", "ops", **FAST) as app:
        await killing(app.processes["messaging"], mail, phones, send_all())


async def naive(lab: Lab, _mail: Mail, phones: list[str]) -> None:
    """The official SDK in a loop that tries again on every error."""
    secret = lab.settings.solapi_api_secret
    assert lab.settings.solapi_api_key and secret
    service = SolapiMessageService(lab.settings.solapi_api_key, secret.get_secret_value())
    service.base_url = lab.settings.solapi_base_url

    def send_all() -> None:
        for phone in phones:
            for _ in range(NAIVE_TRIES):
                try:
                    service.send(RequestMessage(from_=SENDER, to=phone, text=TEXT))
                    break
                except Exception:  # noqa: BLE001 - that is what makes it naive
                    continue

    await asyncio.to_thread(send_all)


async def celery(lab: Lab, mail: Mail, phones: list[str]) -> None:
    settings = lab.settings
    assert settings.redis_password
    password = settings.redis_password.get_secret_value()
    broker = f"redis://:{password}@{settings.redis_host}:{settings.redis_port}/1"
    os.environ |= lab.stack.environment() | {"CELERY_BROKER": broker}
    from bench.celery_app import send

    for phone in phones:
        send.delay(SENDER, phone, TEXT)
    argv = ["-m", "celery", "-A", "bench.celery_app", "worker", "-P", "threads", "-c", "8", "-l", "warning"]
    worker = lab.stack.python("celery", *argv, CELERY_BROKER=broker)
    client = redis.Redis(settings.redis_host, settings.redis_port, db=1, password=password)

    busy_at = time.monotonic()

    async def done() -> bool:
        """Empty for a while: a message that goes back to the queue is in neither place for a moment."""
        nonlocal busy_at
        if client.llen("celery") or client.hlen("unacked"):
            busy_at = time.monotonic()
        return time.monotonic() - busy_at > QUIET

    worker.start()
    try:
        await killing(worker, mail, phones, eventually(done, "celery has done its tasks"))
    finally:
        worker.stop(STOP_SECONDS)


async def killing(worker: Process, mail: Mail, phones: list[str], work: Awaitable[Any]) -> None:
    """Await `work`; on the way `kill -9` the worker after each part of the texts, and start it again."""

    async def kill() -> None:
        part = 1
        while part < PARTS:
            if len(await asyncio.to_thread(texts_by_phone, mail, phones)) >= TEXTS * part // PARTS:
                await asyncio.to_thread(worker.kill)
                worker.start()
                part += 1
            await asyncio.sleep(LOOK_EVERY)

    async with asyncio.TaskGroup() as group:
        group.create_task(kill())
        await work

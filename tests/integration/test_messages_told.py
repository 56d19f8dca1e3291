"""What became of a message is told to the academy's own system: once, signed, and without people."""

import json
import time
from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest
from fastapi import Response
from sqlalchemy import update
from temporalio.exceptions import ApplicationError

from activities import callbacks
from activities.callbacks import CallbackActivities
from activities.messaging.sending import SendActivities
from clients.database.callbacks import SECRET, CallbackEndpoint, save
from clients.solapi import Solapi
from contracts.jobs import JobOutcome, JobState
from contracts.messaging import Recipient, Stop, Telling
from devstack.app import App
from devstack.ports import LOOPBACK
from tests.integration.serving import serving
from tests.integration.test_callbacks import verified
from tests.messages import Mail, draft, phones, request

KEY = b"of this academy"


async def listens(mail: Mail, tenant: int, port: int, *, messages: bool) -> None:
    sealed = (await mail.keys.sealer(tenant)).seal(KEY, SECRET)
    async with mail.lab.engine.begin() as connection:
        await save(connection, tenant, f"http://{LOOPBACK}:{port}/ended", sealed, messages=messages)


async def asked_to_tell(mail: Mail, tenant: int, job: UUID) -> bool:
    """Whether the job's workflow, once it has closed, had somebody told."""
    handle = mail.handle(tenant, job)
    await handle.result()
    events = (await handle.fetch_history()).events
    scheduled = (each.activity_task_scheduled_event_attributes.activity_type.name for each in events)
    return "messages.tell" in scheduled


async def test_who_got_what_is_told_until_somebody_takes_it(
    workers: App, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again with the same id where the answer was no; who has not asked for it hears nothing of messages.
    The workers of this stack ask no inner address, so what they would tell is told from here."""
    statuses = [503]
    numbers = [*phones(2), *phones(1, "40401")]
    people = [Recipient(id=f"student-{n}", to=to) for n, to in enumerate(numbers)]
    async with serving(lambda _, __: Response(status_code=statuses.pop() if statuses else 200)) as (
        desk,
        port,
    ):
        tenant, other = await mail.account(), await mail.account()
        await listens(mail, tenant, port, messages=True)
        await listens(mail, other, port, messages=False)
        unheard = await mail.send(other, people[:1], draft("말하지 않음"))
        job = await mail.send(tenant, people, draft("내일은 휴원입니다."), key="api:holiday-3")
        assert await asked_to_tell(mail, tenant, job) and not await asked_to_tell(mail, other, unheard)
        telling = CallbackActivities(mail.lab.engine, mail.keys, inner_addresses=True)
        ref = Telling(job_id=job, tenant_id=tenant, outcome=JobOutcome(state=JobState.DONE, result={}))
        with pytest.raises(ApplicationError, match="503"):
            await telling.tell(ref)
        assert (await telling.tell(ref)).next is None
        monkeypatch.setattr(callbacks, "PART", 2)  # as of a job for many
        assert (await telling.tell(ref)).next == 1
        assert (await telling.tell(ref.model_copy(update={"part": 2, "after": 1}))).next is None
        silent = Telling(job_id=unheard, tenant_id=other, outcome=ref.outcome)
        assert (await telling.tell(silent)).next is None
        async with mail.lab.engine.begin() as connection:  # who wants to hear no more is told no more
            mine = update(CallbackEndpoint).where(CallbackEndpoint.tenant_id == tenant)
            await connection.execute(mine.values(messages=False))
        assert (await telling.tell(ref)).next is None
    bodies = [json.loads(body) for _, body in desk.asked]
    assert len(bodies) == 4 and bodies[0] == bodies[1]
    ids = [request.headers["academy-delivery"] for request, _ in desk.asked]
    assert ids[:3] == [str(uuid5(job, "messages/1"))] * 3 and ids[3] == str(uuid5(job, "messages/2"))
    assert all(verified(KEY, request, body, time.time()) for request, body in desk.asked)
    told = bodies[0]
    assert (told["status"], told["job_type"], told["idempotency_key"]) == (
        "DONE",
        "messages.send",
        "holiday-3",
    )
    assert (UUID(told["job_id"]), told["part"], told["parts"]) == (job, 1, 1)
    ends = [(each["position"], each["id"], each["state"], each["channel"]) for each in told["recipients"]]
    assert ends == [
        (0, "student-0", "DELIVERED", "SMS"),
        (1, "student-1", "DELIVERED", "SMS"),
        (2, "student-2", "FAILED", "SMS"),
    ]
    assert [len(each["recipients"]) for each in bodies[2:]] == [2, 1]
    for _, body in desk.asked:
        said = body.decode()
        assert "휴원" not in said and not any(number[-8:] in said for number in numbers)


async def test_who_stops_a_job_knows_whether_it_is_to_be_told(mail: Mail, solapi: Solapi) -> None:
    """Of one that was never prepared nobody else does."""
    sending = SendActivities(mail.lab.engine, mail.keys, solapi, lambda: datetime.now(UTC))
    tenant = await mail.account()
    asked = request(tenant, draft(), phones(1))
    await mail.submitter.accept([asked])
    stop = Stop(job_id=asked.job_id, tenant_id=tenant, code="SEND_CANCELLED")
    assert not (await sending.stop(stop)).tells
    for wanted in (False, True):
        await listens(mail, tenant, 1, messages=wanted)
        assert (await sending.stop(stop)).tells is wanted

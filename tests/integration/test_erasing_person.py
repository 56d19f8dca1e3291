"""One person is erased on request, and nobody else; what cannot be searched is said."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, select
from temporalio.service import RPCError

from academy import erasing
from clients.database.academy_models import Attendance, Student
from clients.database.messaging_models import MessageRecipient, OptOut
from clients.people import seal_students
from devstack.app import App
from devstack.stack import Stack
from intake.erasing import Servers
from intake.erasing_person import OPEN, STUDENTS, PersonEraser, _written
from tests.lab import Lab
from tests.mails import PostOffice, academy, e_mail, people
from tests.messages import Mail, phones

pytestmark = pytest.mark.slow


@pytest.fixture
async def servers(stack: Stack, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Servers]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, stack.environment()[name])
    servers = await erasing.open_servers(lab.settings)
    yield servers
    await servers.redis.aclose()
    await servers.engine.dispose()


async def enrol(mail: Mail, tenant: int, name: str, own: str, parent: str) -> int:
    """A student with a day of attendance; the id."""
    sealer = await mail.keys.sealer(tenant)
    values = {"name": name, "parent_phone": parent, "student_phone": own}
    (sealed,) = seal_students(sealer, [values])
    row = {"identity_mac": sealed.identity_mac, "likeness_mac": sealed.likeness_mac, "sealed": sealed.sealed}
    async with mail.lab.engine.begin() as connection:
        made = insert(Student).values(tenant_id=tenant, **row).returning(Student.id)
        student = (await connection.execute(made)).scalar_one()
        day = {"lecture_id": 1, "day": date(2026, 5, 4), "status": "ONLINE"}
        await connection.execute(insert(Attendance).values(tenant_id=tenant, student_id=student, **day))
    return student


async def left(servers: Servers, tenant: int, student: int | None, phone: str | None) -> dict[str, int]:
    eraser = PersonEraser(servers, tenant)
    places = await eraser.look(await eraser.person(student, phone))
    return {each.place: each.left for each in places if each.left}


async def test_a_person_is_gone_and_nobody_else(workers: App, mail: Mail, servers: Servers) -> None:
    tenant = await mail.account()
    his, hers, parents = phones(3)
    him = await enrol(mail, tenant, "김철수", his, parents)
    her = await enrol(mail, tenant, "이영희", hers, parents)
    job = await mail.send(tenant, [his, hers])
    await mail.ended(job)
    lists = f"tenants/{tenant}/messages/list.jsonl"
    mail.lab.objects.put(lists, f'{{"id": "1", "to": "+82 {his[1:3]} {his[3:]}"}}\n'.encode(), "text/plain")
    mail.lab.objects.put(f"tenants/{tenant}/ai/sources/roster.xlsx", b"names", "text/plain")
    queue = servers.queues["messaging"]
    for phone in (his, hers):
        body = json.dumps({"tenant_id": tenant, "to": phone})
        queue._sqs.send_message(QueueUrl=queue._dlq_url, MessageBody=body)
    mac = (await mail.keys.sealer(tenant)).mac(his)
    async with mail.lab.engine.begin() as connection:
        await connection.execute(insert(OptOut).values(tenant_id=tenant, phone_mac=mac))

    there = {"messages": 1, "lists of recipients": 1, "dead letters": 1}
    rows = {"rows of students": 1, "rows of attendance": 1}
    assert await left(servers, tenant, him, None) == there | rows
    of_hers = await left(servers, tenant, her, None)

    eraser = PersonEraser(servers, tenant)
    await mail.move_time(job, finished_at=None)  # a job that has not ended keeps its people, and that is said
    erased = await eraser.erase(await eraser.person(None, his))
    assert {each.place: each.left for each in erased if each.left} == {
        OPEN: 1, "lists of recipients": 1, STUDENTS: 1,
    }  # fmt: skip
    await mail.move_time(job, finished_at=datetime.now(UTC))
    erased = await eraser.erase(await eraser.person(him, None))
    assert not [each for each in erased if each.left]
    assert await left(servers, tenant, None, his) == {}
    assert await eraser.not_searched() == {f"tenants/{tenant}/ai/sources/": 1}

    with pytest.raises(RPCError):
        await mail.handle(tenant, job).describe()
    async with mail.lab.engine.connect() as connection:
        query = select(MessageRecipient.masked_phone, MessageRecipient.state).order_by("position")
        people = [tuple(row) for row in await connection.execute(query.where(MessageRecipient.job_id == job))]
        opted = select(OptOut.phone_mac).where(OptOut.tenant_id == tenant)
        assert (await connection.execute(opted)).scalars().all() == [mac], "he still wants no advertising"
    assert people[0] == ("", "DELIVERED") and people[1][0]
    assert await mail.balance(tenant) == 1_000_000 - 40
    assert await left(servers, tenant, her, None) == of_hers  # the other of the same parents


async def test_whoever_has_an_address(workers: App, mail: Mail, servers: Servers) -> None:
    with PostOffice() as office:
        tenant = await academy(mail, office.settings())
        (his, hers) = people(2)
        job = await mail.send(tenant, [his, hers], e_mail())
        await mail.ended(job)
    lists = f"tenants/{tenant}/messages/list.jsonl"
    mail.lab.objects.put(lists, f'{{"id": "1", "to": "{his.to.upper()}"}}\n'.encode(), "text/plain")
    assert await left(servers, tenant, None, his.to.title()) == {"messages": 1, "lists of recipients": 1}
    eraser = PersonEraser(servers, tenant)
    erased = await eraser.erase(await eraser.person(None, his.to))
    assert not [each for each in erased if each.left]
    rows = await mail.recipients(job)
    assert [bool(each.masked_phone) for each in rows] == [False, True]


@pytest.mark.parametrize(
    "text", ["01012345678", "010-1234-5678", "+82 10 1234 5678", "1012345678", "(010) 1234–5678"]
)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    assert _written("01012345678").search(f'{{"to": "{text}"}}')
    assert not _written("01012345678").search(f'{{"to": "{text}9"}}')

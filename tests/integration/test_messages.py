"""Every channel from the request to the phone, refusals before anything is sent, and duplicates."""

import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from clients.database import credits, jobs, messaging
from clients.database.messaging_models import MessageJob, MessageOccurrence
from contracts.messaging import Draft, Recipient
from devstack.app import App, running
from devstack.producer import message_body
from tests import canary
from tests.lab import fresh_id
from tests.mails import PostOffice, academy, e_mail
from tests.messages import Mail, draft, phones
from tests.pages import OF_THE_SDK, page

VARIABLES = {"학원": "가나다학원", "이름": "김하늘", "시각": "16:05"}
ALIMTALK: dict[str, Any] = {"template_id": "TP01ARRIVAL"}
ARRIVED = "[가나다학원]\n김하늘 학생이 16:05에 등원했습니다."
# Start, a frame of 640 x 480 in three components, start of the scan: all that is looked at.
JPEG = (
    b"\xff\xd8\xff\xc0\x00\x11\x08"
    + struct.pack(">HH", 480, 640)
    + bytes([3, *range(9)])
    + b"\xff\xda\xff\xd9"
)


def person(to: str, **variables: str) -> Recipient:
    return Recipient(id="student-1", to=to, variables=variables)


@pytest.mark.parametrize(
    ("what", "kind", "type", "text", "price"),
    [
        (draft("#{이름} 학생 안녕하세요."), "2", "SMS", "김하늘 학생 안녕하세요.", 20),
        (draft("#{이름} " + "가" * 60), "2", "LMS", "김하늘 " + "가" * 60, 50),
        (draft("#{이름} 안내", subject="안내"), "2", "LMS", "김하늘 안내", 50),
        (draft("#{이름} 사진", image_key="image"), "2", "MMS", "김하늘 사진", 110),
        (draft("안내", mode="alimtalk", **ALIMTALK), "2", "ATA", ARRIVED, 13),
        (draft("#{이름} 등원", mode="both", **ALIMTALK), "2", "ATA", ARRIVED, 13),
        (draft("#{이름} 등원", mode="both", **ALIMTALK), "40402", "SMS", "김하늘 등원", 20),
        (draft("#{이름} " + "가" * 60, mode="both", **ALIMTALK), "40406", "LMS", "김하늘 " + "가" * 60, 50),
    ],
    ids=[
        "sms",
        "lms by length",
        "lms by subject",
        "mms",
        "alimtalk",
        "both",
        "falls back",
        "falls back to lms",
    ],
)
async def test_a_channel(
    workers: App, mail: Mail, what: Draft, kind: str, type: str, text: str, price: int
) -> None:
    tenant, (phone,) = await mail.account(), phones(1, kind)
    if what.image_key:
        key = f"tenants/{tenant}/messages/image.jpg"
        mail.lab.objects.put(key, JPEG, "image/jpeg")
        what = what.model_copy(update={"image_key": key})
    values = VARIABLES if what.mode != "sms" else {"이름": "김하늘"}
    job = await mail.send(tenant, [person(phone, **values)], what)
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("DONE", None)
    (sent,) = mail.simulator.ledger(job.hex)
    assert (sent["to"], sent["type"], sent["text"], sent["statusCode"]) == (phone, type, text, "4000")
    (recipient,) = await mail.recipients(job)
    assert (recipient.state, recipient.sent_as, await mail.texts(job)) == ("DELIVERED", type, [None])
    assert await mail.balance(tenant) == 1_000_000 - price


@pytest.mark.parametrize(
    ("kind", "alimtalk", "ended"), [("40402", False, "FAILED"), ("40401", True, "FAILED")]
)
async def test_an_alimtalk_that_reaches_nobody(
    workers: App, mail: Mail, kind: str, alimtalk: bool, ended: str
) -> None:
    tenant = await mail.account()
    mode = "both" if alimtalk else "alimtalk"
    job = await mail.send(
        tenant, [person(*phones(1, kind), **VARIABLES)], draft("등원", mode=mode, **ALIMTALK)
    )
    row = await mail.ended(job)
    assert (row.state, row.error_code) == (ended, "NOT_DELIVERED")
    assert [state for state, _ in await mail.states(job)] == ["FAILED"]
    assert await mail.balance(tenant) == 1_000_000


async def test_what_the_worker_tells_of_it(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(), phones(1)
    job = await mail.send(tenant, [person(phone)], draft("안녕하세요."))
    await mail.ended(job)
    told = await page(workers, "messaging")
    assert told.names() >= OF_THE_SDK and told.of("worker_ready") == 1
    for operation in ("create_group", "add", "send", "messages"):
        assert told.of("provider_requests_total", operation=operation, outcome="done", status="200") >= 1
    assert told.of("provider_request_seconds_count", operation="send") >= 1
    assert told.of("notice_delivered_seconds_count") >= 1
    assert told.of("activity_attempts_total", activity="messages.add", outcome="done") >= 1
    assert phone not in told.text and f'"{tenant}"' not in told.text


async def test_what_the_old_producers_send(workers: App, mail: Mail) -> None:
    """Their `use_alimtalk_first`, without a mode, is Alimtalk with the text as fallback."""
    tenant, (phone,) = await mail.account(), phones(1, "40402")
    replacements = [{"key": key, "value": value} for key, value in VARIABLES.items()]
    body = message_body(
        tenant, phone, "등원했습니다.", template_id="TP01ARRIVAL", alimtalk_replacements=replacements
    )
    del body["message_mode"]
    async with running(mail.lab.stack, "bridge"):
        mail.lab.send("messaging", body | {"use_alimtalk_first": True})
        (job,) = await mail.lab.ended(tenant)
    assert job.state == "DONE"
    (sent,) = mail.simulator.ledger(job.id.hex)
    assert (sent["type"], sent["replacement"], sent["text"]) == ("SMS", True, "등원했습니다.")


@pytest.mark.parametrize(
    ("what", "bad", "code"),
    [
        (draft("좋은 하루 🙂"), None, "TEXT_NOT_ENCODABLE"),
        (draft(), Recipient(id="x", to="02-123-4567"), "PHONE_NOT_MOBILE"),
        (draft("#{이름} 학생"), None, "VARIABLE_MISSING"),
        (draft(), "student-1", "DUPLICATE_RECIPIENT"),
        (draft(sender="0319999999"), None, "SENDER_NOT_REGISTERED"),
        (draft("특강", advertising=True), None, "ADVERTISER_MISSING"),
        (draft(mode="alimtalk", template_id="TP99"), None, "TEMPLATE_MISSING"),
        (draft(send_at=datetime(2020, 1, 1, tzinfo=UTC)), None, "SCHEDULE_PAST"),
        (draft(image_key="tenants/1/nothing.jpg"), None, "IMAGE_MISSING"),
        (draft("가" * 1_001), None, "TEXT_TOO_LONG"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_one_bad_recipient_refuses_the_whole_job(
    workers: App, mail: Mail, what: Draft, bad: Recipient | str | None, code: str
) -> None:
    tenant = await mail.account()
    good = [Recipient(id=f"student-{n}", to=to) for n, to in enumerate(phones(3))]
    if isinstance(bad, str):  # one of them again, with the same phone
        bad = next(each for each in good if each.id == bad)
    job = await mail.send(tenant, good + ([bad] if bad else []), what)
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("REJECTED_BAD_INPUT", code)
    assert row.result["problems"][0]["code"] == code
    assert row.result["problems"][0].get("recipient") in ((3,) if bad else (None, 0))
    assert (mail.sent(job), await mail.recipients(job), mail.simulator.groups(job.hex)) == ([], [], [])
    assert await mail.balance(tenant) == 1_000_000


async def told(mail: Mail, tenant: int, phone: str, target: str = "student-1", **more: str) -> UUID:
    """One message about an occasion to one person."""
    occasion = {"event_type": "arrival", "occurrence_key": "2026-03-02"} | more
    return await mail.send(tenant, [Recipient(id=target, to=phone)], draft(**occasion))


async def test_the_same_occasion_is_told_once(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(), phones(1)
    first = await told(mail, tenant, phone)
    assert (await mail.ended(first)).state == "DONE"
    second = await told(mail, tenant, phone)
    row = await mail.ended(second)
    assert (row.state, row.error_code) == ("CANCELLED", "DUPLICATE_MESSAGE")
    assert (await mail.states(second), mail.sent(second)) == ([("SUPPRESSED", "DUPLICATE_MESSAGE")], [])
    assert await mail.entries(second) == []
    others = [
        await told(mail, tenant, phone, occurrence_key="2026-03-03"),
        await told(mail, tenant, phone, event_type="departure"),
        await told(mail, tenant, phone, target="student-2"),
    ]
    assert [(await mail.ended(job)).state for job in others] == ["DONE"] * 3
    assert await mail.balance(tenant) == 1_000_000 - 4 * 20


async def test_siblings_are_told_in_one_message(workers: App, mail: Mail) -> None:
    """One text, one price, an end for each; and each of them has been told on this occasion."""
    tenant, (parent,), (other,) = await mail.account(daily_cap_per_phone=2), phones(1), phones(1, "40401")
    people = [
        Recipient(id=name, to=to, variables={"이름": name})
        for name, to in (("하늘", parent), ("보라", other), ("바다", parent), ("솔", other))
    ]
    occasion = {"event_type": "timetable", "occurrence_key": "2026-12"}
    job = await mail.send(tenant, people, draft("#{이름} 학생", one_per_phone=True, **occasion))
    row = await mail.ended(job)
    assert sorted((each["to"], each["text"]) for each in mail.simulator.ledger(job.hex)) == sorted(
        [(parent, "하늘, 바다 학생"), (other, "보라, 솔 학생")]
    )
    assert await mail.states(job) == [("DELIVERED", None), ("FAILED", "3042")] * 2
    assert row.state == "DONE"
    assert row.result["notes"] == [
        {"code": "TOLD_TOGETHER", "about": "one_per_phone", "recipients": 2},
    ]
    charged = [(0, "RESERVE", -20), (1, "REFUND", 20), (1, "RESERVE", -20)]
    assert (await mail.entries(job), await mail.balance(tenant)) == (charged, 1_000_000 - 20)
    assert [(each.success, int(each.amount_deducted)) for each in await mail.log(job)] == [
        (True, 20),
        (False, 0),
        (True, 0),
        (False, 0),
    ]
    again = await mail.send(tenant, people[2:], draft("#{이름} 학생", **occasion))
    await mail.ended(again)
    assert await mail.states(again) == [("SUPPRESSED", "DUPLICATE_MESSAGE"), ("FAILED", "3042")]
    mixed = [people[2], Recipient(id="새봄", to=parent, variables={"이름": "새봄"})]
    more = await mail.send(tenant, mixed, draft("#{이름} 학생", one_per_phone=True, **occasion))
    await mail.ended(more)  # one of them has not been told, so the message is sent
    assert [each["text"] for each in mail.simulator.ledger(more.hex)] == ["바다, 새봄 학생"]
    assert await mail.balance(tenant) == 1_000_000 - 40


async def test_what_failed_may_be_told_again(workers: App, mail: Mail) -> None:
    tenant, (dead,), (good,) = await mail.account(), phones(1, "40401"), phones(1)
    failed = await told(mail, tenant, dead)
    assert (await mail.ended(failed)).state == "FAILED"
    again = await told(mail, tenant, good)  # the parent has a new phone
    assert (await mail.ended(again)).state == "DONE"
    assert mail.sent(again) == [good]


async def test_the_same_occasion_in_five_jobs_at_once(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(), phones(1)
    jobs = [await told(mail, tenant, phone) for _ in range(5)]
    outcomes = sorted([(await mail.ended(job)).state for job in jobs])
    assert outcomes == ["CANCELLED"] * 4 + ["DONE"]
    assert [to for job in jobs for to in mail.sent(job)] == [phone]


async def test_two_parents_of_one_student(workers: App, mail: Mail) -> None:
    """The same occasion, to another phone, is another message; before, the second parent got none."""
    tenant, (mother, father) = await mail.account(), phones(2)
    jobs = [await told(mail, tenant, phone) for phone in (mother, father, mother, father)]
    assert sorted([(await mail.ended(job)).state for job in jobs]) == ["CANCELLED"] * 2 + ["DONE"] * 2
    assert sorted(to for job in jobs for to in mail.sent(job)) == sorted([mother, father])


async def test_an_occasion_that_the_release_before_told(workers: App, mail: Mail) -> None:
    """It knew it without the phone."""
    tenant, (mother, father) = await mail.account(), phones(2)
    first = await told(mail, tenant, mother)
    await mail.ended(first)
    name = json.dumps(["arrival", "2026-03-02", "student-1"]).encode()
    async with mail.lab.engine.begin() as connection:
        mine = MessageOccurrence.job_id == first
        assert (await connection.execute(delete(MessageOccurrence).where(mine))).rowcount == 2
        old = {"tenant_id": tenant, "occurrence": hashlib.sha256(name).digest(), "job_id": first}
        await connection.execute(insert(MessageOccurrence).values(old | {"position": 0}))
    again, other = await told(mail, tenant, mother), await told(mail, tenant, father)
    assert (await mail.ended(again)).error_code == "DUPLICATE_MESSAGE"
    assert (await mail.ended(other)).state == "DONE"
    assert (mail.sent(again), mail.sent(other)) == ([], [father])


async def test_an_item_list_with_buttons(workers: App, mail: Mail) -> None:
    """Before, its job stood for two days without a word."""
    name = f"TPITEMS{fresh_id()}"
    parts = {"header": "#{학원}", "item": {"list": [{"title": "시각", "description": "#{시각}"}]}}
    buttons = [{"buttonType": "WL", "buttonName": "보기", "linkMo": "https://example.com/#{링크}"}]
    pf_id = mail.lab.settings.solapi_kakao_pf_id or ""
    mail.simulator.template(name, pf_id, "#{이름} 등원", parts=parts, buttons=buttons)
    tenant, (phone,) = await mail.account(), phones(1)
    what = draft("안내", mode="alimtalk", template_id=name)
    job = await mail.send(tenant, [person(phone, 링크="abc", 반="A", **VARIABLES)], what)
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("DONE", None)
    assert row.result["notes"] == [{"code": "VARIABLE_UNUSED", "about": "반", "recipients": 1}]
    (sent,) = mail.simulator.ledger(job.hex)
    assert (sent["type"], sent["statusCode"]) == ("ATA", "4000")


@pytest.mark.parametrize(
    ("template", "why"),
    [({"template_id": "TP99"}, "TEMPLATE_MISSING"), ({"status": "INSPECTING"}, "TEMPLATE_NOT_APPROVED")],
    ids=["unknown", "unapproved"],
)
async def test_both_without_a_usable_template_is_a_text(
    workers: App, mail: Mail, template: dict[str, str], why: str
) -> None:
    name = template.get("template_id", f"TPNOT{fresh_id()}")
    if "status" in template:
        mail.simulator.template(name, mail.lab.settings.solapi_kakao_pf_id or "", "#{이름}", **template)
    tenant, (phone,) = await mail.account(), phones(1)
    job = await mail.send(tenant, [person(phone, **VARIABLES)], draft("등원", mode="both", template_id=name))
    row = await mail.ended(job)
    assert row.result["notes"] == [{"code": "SENT_AS_TEXT", "about": why, "recipients": 1}]
    await mail.delivered_once(job, tenant, [phone], 20)


async def test_alimtalk_that_is_refused_when_it_is_registered_is_a_text(workers: App, mail: Mail) -> None:
    """Its template is withdrawn while the jobs wait for credit. Who has opted out gets no text either, and
    of an Alimtalk alone nothing is sent."""
    name, pf_id = f"TPGONE{fresh_id()}", mail.lab.settings.solapi_kakao_pf_id or ""
    mail.simulator.template(name, pf_id, "#{이름}")
    tenant, ones, (opted_out,) = await mail.account(credit=0), phones(2), phones(1, "40403")
    everybody = [Recipient(id=to, to=to, variables={"이름": "김하늘"}) for to in (*ones, opted_out)]
    job = await mail.send(tenant, everybody, draft("#{이름} 등원", mode="both", template_id=name))
    alone = await mail.send(tenant, everybody[:1], draft("", mode="alimtalk", template_id=name))
    for each in (job, alone):
        await mail.stage(tenant, each, "waiting for credit")
    mail.simulator.template(name, pf_id, "#{이름}", status="REJECTED")
    async with mail.lab.engine.begin() as connection:
        await credits.top_up(connection, tenant, Decimal(1_000_000), f"late-{tenant}")
    for each in (job, alone):
        await mail.handle(tenant, each).signal("credit")
    row = await mail.ended(job)
    assert (await mail.ended(alone)).state == "FAILED"
    assert (await mail.states(alone), mail.sent(alone)) == ([("REFUSED", "1043")], [])
    assert {(note["code"], note["about"]) for note in row.result["notes"]} == {("SENT_AS_TEXT", "1043")}
    assert await mail.states(job) == [("DELIVERED", None)] * 2 + [("REFUSED", "1061")]
    assert mail.sent(job) == sorted(ones)
    assert {(sent["type"], sent["replacement"]) for sent in mail.simulator.ledger(job.hex)} == {
        ("SMS", False)
    }
    assert await mail.balance(tenant) == 1_000_000 - 2 * 20


async def test_what_is_too_late_is_not_sent(workers: App, mail: Mail) -> None:
    """A notice of arrival that waits for credit: half an hour later nobody wants it."""
    tenant, (phone,) = await mail.account(credit=0), phones(1)
    job = await mail.send(tenant, [person(phone)], draft(event_type="attendance.checked", occurrence_key="1"))
    await mail.stage(tenant, job, "waiting for credit")
    async with mail.lab.engine.begin() as connection:
        known = await messaging.find_job(connection, job)
        accepted = (await jobs.get(connection, job)).accepted_at
        assert known is not None and known.expires_at == accepted + timedelta(minutes=30)
        expired = update(MessageJob).where(MessageJob.job_id == job)
        await connection.execute(expired.values(expires_at=accepted))
        await credits.top_up(connection, tenant, Decimal(1_000_000), f"late-{tenant}")
    await mail.handle(tenant, job).signal("credit")
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("FAILED", "MESSAGE_EXPIRED")
    assert (await mail.states(job), mail.sent(job)) == ([("CANCELLED", "MESSAGE_EXPIRED")], [])
    assert await mail.balance(tenant) == 1_000_000


async def test_two_siblings_with_one_phone(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(), phones(1)
    people = [
        Recipient(id=f"student-{n}", to=phone, variables={"이름": name})
        for n, name in enumerate(("하늘", "바다"))
    ]
    job = await mail.send(tenant, people, draft("#{이름} 등원", event_type="arrival", occurrence_key="1"))
    await mail.ended(job)
    await mail.delivered_once(job, tenant, [phone, phone], 40)
    assert sorted(each["text"] for each in mail.simulator.ledger(job.hex)) == ["바다 등원", "하늘 등원"]


async def test_no_trace_of_a_person_anywhere(workers: App, mail: Mail) -> None:
    """By SMS, by Alimtalk, refused, failing, and through every error of the provider."""
    tenant = await mail.account()
    phone, dead, name, secret = "01077351926", "01040401926", "독고종달새", "비밀스러운안내문구"
    values = VARIABLES | {"이름": name}
    jobs = [
        await mail.send(tenant, [person(phone, 이름=name)], draft(f"#{{이름}} {secret}")),
        await mail.send(tenant, [person(phone, **values)], draft(secret, mode="both", **ALIMTALK)),
        await mail.send(tenant, [person(phone, 이름=name)], draft(f"#{{이름}} {secret} 🙂")),
        await mail.send(tenant, [person(f"{phone}7", 이름=name)], draft(f"#{{이름}} {secret}")),
        await mail.send(tenant, [person(dead, 이름=name)], draft(f"#{{이름}} {secret}")),
    ]
    faults = [
        mail.simulator.fault(step, kind, times=1)
        for step in ("create", "add", "send", "messages")
        for kind in ("503_before", "reset_after", "truncated")
    ]
    jobs.append(await mail.send(tenant, [person(phone, 이름=name)], draft(f"#{{이름}} {secret}")))
    address, user, password = "dokgo.skylark@kanarienvogel.example", "kanarien-nutzer", "kanarien-passwort"
    with PostOffice() as office:
        server = office.settings(sender_name=name)
        mailing = await academy(mail, server)
        office.post.faults[address] = [
            f"RCPT 450 4.2.0 <{address}> later",
            f"END 550 5.1.1 <{address}> {name}",
        ]
        by_mail = e_mail(f"#{{이름}} {secret}", subject=f"#{{이름}} {secret}")
        jobs.append(await mail.send(mailing, [person(address, 이름=name)], by_mail))
        jobs.append(await mail.send(mailing, [person(f"{address}@x", 이름=name)], by_mail))
        await academy(mail, server.model_copy(update={"username": user, "password": password}))
        outcomes = [(await mail.ended(job)).state for job in jobs]
    refused = "REJECTED_BAD_INPUT"
    assert outcomes == ["DONE", "DONE", refused, refused, "FAILED", "DONE", "FAILED", refused]
    assert any(mail.simulator.fired(id) for id in faults)
    people = phone, dead, name, secret, address, user, password
    assert canary.find(mail.lab.stack, *people) == []

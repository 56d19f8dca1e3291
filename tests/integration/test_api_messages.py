"""Messages over HTTP: send, look, cancel; operators' accounts; Solapi's webhook."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from python_calamine import CalamineWorkbook
from sqlalchemy import update

from api.auth.staff import issue
from clients.database import jobs
from clients.database.messaging_models import MessageDigest, MessageJob
from clients.vault import Vault
from devstack.app import App, running
from devstack.solapi.client import Simulator
from devstack.stack import Stack
from tests import signed_in
from tests.lab import PATIENCE, Lab, eventually, fresh_id
from tests.mails import PostOffice, people

pytestmark = pytest.mark.asyncio(loop_scope="module")

SENDER = "0212345678"
PRICES = {"price_sms": "20", "price_lms": "50", "price_mms": "120", "price_ata": "15"}
FINAL = ("DONE", "FAILED", "CANCELLED", "REJECTED_BAD_INPUT")
SECONDS = 600


@dataclass
class Office:
    """An academy with an account, an operator beside it, and the provider's own view."""

    lab: Lab
    http: httpx.AsyncClient
    tenant: int
    key: str
    operator: dict[str, str]
    simulator: Simulator

    async def ask(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {self.key}"}
        return await self.http.request(method, f"/api/v1{path}", json=json, headers=bearer | headers)

    async def send(self, text: str, *phones: str, **more: Any) -> str:
        recipients = [{"id": str(n), "to": phone} for n, phone in enumerate(phones)]
        return await self.send_body({"draft": {"text": text} | more, "recipients": recipients})

    async def send_body(self, body: dict[str, Any]) -> str:
        answer = await self.ask("POST", "/messages/", body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        async def look() -> dict[str, Any]:
            found: dict[str, Any] = (await self.ask("GET", f"/messages/{job_id}/")).json()
            return found if found["status"] in FINAL else {}

        return await eventually(look, f"{job_id} ended")

    async def top_up(self, amount: str, reference: str) -> httpx.Response:
        path = f"/api/v1/tenants/{self.tenant}/credit/"
        body = {"amount": amount, "reference": reference}
        return await self.http.post(path, json=body, headers=self.operator)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(stack: Stack, app: App) -> AsyncIterator[Office]:
    lab, tenant = await Lab.open(stack), fresh_id()
    settings = stack.settings()
    async with (
        running(stack, "messaging"),
        httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http,
    ):
        operator = {"Authorization": f"Bearer {issue(settings, 'operator', SECONDS)}"}
        account = PRICES | {"sender": SENDER, "sender_numbers": [SENDER]}
        path = f"/api/v1/tenants/{tenant}/messaging-account/"
        assert (await http.put(path, json=account, headers=operator)).status_code == 200
        yield Office(
            lab, http, tenant, await lab.service_key(tenant), operator, Simulator(settings.solapi_base_url)
        )
    await lab.close()


async def test_a_time_that_has_passed_is_refused_at_the_door(office: Office) -> None:
    """Before, what was to be sent in 2020 was sent at once."""
    past = {"text": "안내", "send_at": "2020-01-01T09:00:00+09:00"}
    body = {"draft": past, "recipients": [{"id": "1", "to": "01020001"}]}
    answer = await office.ask("POST", "/messages/", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "SCHEDULE_PAST")


async def test_a_notice_over_the_api(office: Office) -> None:
    await office.top_up("1000", "notice")
    job_id = await office.send("내일은 휴원입니다.", "010-9100-0001", "010 9100 0002", "01040401003")
    ended = await office.ended(job_id)
    assert ended["recipients"] == {"DELIVERED": 2, "FAILED": 1}
    assert ended["reasons"] == {"3042": 1}
    shown = (await office.ask("GET", f"/messages/{job_id}/recipients/?limit=2")).json()
    assert [each["phone"] for each in shown["recipients"]] == ["010-****-0001", "010-****-0002"]
    rest = (await office.ask("GET", f"/messages/{job_id}/recipients/?after={shown['next']}")).json()
    far = await office.ask("GET", f"/messages/{job_id}/recipients/?after={2**31}")
    assert far.status_code == 422
    assert [(each["state"], each["code"]) for each in rest["recipients"]] == [("FAILED", "3042")]
    failed = (await office.ask("GET", f"/messages/{job_id}/recipients/?state=FAILED")).json()
    assert failed["recipients"] == rest["recipients"]
    book = await office.ask("GET", f"/messages/{job_id}/recipients.xlsx")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(book.content)).get_sheet_by_index(0)
    written = [row[2:6] for row in sheet.to_python()[1:]]
    assert written[0] == ["010-****-0001", "SMS", "전달", ""]
    assert written[2] == ["010-****-1003", "SMS", "실패", "3042"]
    stranger = await office.lab.service_key(fresh_id())
    for path in ("", "recipients/", "recipients.xlsx"):
        path = f"/messages/{job_id}/{path}"
        answer = await office.ask("GET", path, Authorization=f"Bearer {stranger}")
        assert answer.status_code == 404


async def test_an_e_mail_over_the_api(office: Office) -> None:
    """By the academy's own mail server, whose password nobody sees again."""
    path = f"/api/v1/tenants/{office.tenant}/mail-server/"

    async def asked(method: str, **body: Any) -> httpx.Response:
        return await office.http.request(method, path, headers=office.operator, **body)

    assert (await asked("GET")).status_code == 404
    wrong = {"host": "mail.example.com", "tls": "none", "username": "u", "password": "p"}
    assert (await asked("PUT", json=wrong | {"sender": "notice@academy.test"})).status_code == 422
    own = {
        "host": "mail.example.com",
        "username": "u",
        "password": "of-the-server",
        "sender": "n@academy.test",
    }
    assert (await asked("PUT", json=own)).json()["port"] == 587
    assert "of-the-server" not in (await asked("GET")).text
    with PostOffice() as post_office:
        assert (await asked("PUT", json=post_office.settings().model_dump())).status_code == 200
        (parent,) = people(1)
        draft = {"mode": "email", "subject": "성적표", "text": "#{이름} 학생의 성적표입니다. 🙂"}
        body = {"draft": draft, "recipients": [parent.model_dump()]}
        job_id = (await office.ask("POST", "/messages/", body)).json()["job_id"]
        ended = await office.ended(job_id)
        (found,) = post_office.post.mails()
    assert (ended["status"], ended["recipients"]) == ("DONE", {"UNCONFIRMED": 1})
    assert (found["To"], found["Subject"]) == (parent.to, "성적표")
    (row,) = (await office.ask("GET", f"/messages/{job_id}/recipients/")).json()["recipients"]
    assert (row["channel"], row["phone"]) == ("EML", "p***@d***.test")
    book = await office.ask("GET", f"/messages/{job_id}/recipients.xlsx")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(book.content)).get_sheet_by_index(0)
    assert sheet.to_python()[1][2:5] == ["p***@d***.test", "이메일", "메일 서버로 보냄"]
    to_students = {"draft": draft, "students": {"student_ids": [1]}}
    assert (await office.ask("POST", "/messages/", to_students)).json()["code"] == "no_addresses"
    assert (await asked("DELETE")).json() == {"removed": True}


async def test_the_same_idempotency_key_sends_once(office: Office) -> None:
    await office.top_up("1000", "once")
    body = {"draft": {"text": "한 번만"}, "recipients": [{"id": "1", "to": "01091000011"}]}
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(office.ask("POST", "/messages/", body, **headers) for _ in range(5)))
    (job_id,) = {answer.json()["job_id"] for answer in answers}
    await office.ended(job_id)
    assert [each["to"] for each in office.simulator.ledger() if each["to"] == "01091000011"] == [
        "01091000011"
    ]
    other = body | {"draft": {"text": "다른 글"}}
    answer = await office.ask("POST", "/messages/", other, **headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    "change",
    [
        {"recipients": []},
        {"recipients_key": "tenants/1/messages/a.jsonl", "recipients": []},
        {"recipients_key": "messages/a.jsonl", "recipients": []},
        {"draft": {"text": "x", "image_key": "tenants/1/a.jpg"}},
        {"draft": {}},
    ],
    ids=["nobody", "another tenant's list", "a list anywhere", "another tenant's image", "no text"],
)
async def test_what_cannot_be_asked_for(office: Office, change: dict[str, Any]) -> None:
    body = {"draft": {"text": "x"}, "recipients": [{"id": "1", "to": "01091000021"}]} | change
    answer = await office.ask("POST", "/messages/", body)
    assert answer.status_code == 422
    assert "01091000021" not in answer.text


async def test_a_bad_text_is_refused_with_its_place(office: Office) -> None:
    ended = await office.ended(await office.send("좋은 하루 😀", "01091000031"))
    assert ended["status"] == "REJECTED_BAD_INPUT"
    (problem,) = ended["result"]["problems"]
    assert (problem["code"], problem["position"]) == ("TEXT_NOT_ENCODABLE", 7)
    assert not [each for each in office.simulator.ledger() if each["to"] == "01091000031"]


async def test_a_job_waits_for_credit_and_can_be_cancelled_or_paid(office: Office) -> None:
    balance = (await office.top_up("1", "look")).json()["credit_balance"]
    dear = 1 + int(float(balance) // 50)
    phones = [f"0109{n:07}" for n in range(dear)]
    cancelled = await office.send("가" * 100, *phones)
    paid = await office.send("나" * 100, *phones)

    async def waiting() -> bool:
        found = [each async for each in office.lab.temporal.list_workflows(f"TenantId = '{office.tenant}'")]
        stages = [each.search_attributes.get("Stage") for each in found]
        return stages.count(["waiting for credit"]) == 2

    await eventually(waiting, "both wait")
    assert (await office.ask("POST", f"/messages/{cancelled}/cancel/")).json() == {"outcome": "CANCELLED"}
    assert (await office.ended(cancelled))["recipients"] == {"CANCELLED": dear}
    first, again = await office.top_up("5000", "invoice-7"), await office.top_up("5000", "invoice-7")
    assert (first.json()["counted"], again.json()["counted"]) == (True, False)
    assert (await office.ended(paid))["recipients"] == {"DELIVERED": dear}
    assert (await office.ask("POST", f"/messages/{paid}/cancel/")).json() == {"outcome": "TOO_LATE"}


async def test_only_operators_touch_accounts(office: Office) -> None:
    settings = office.lab.settings
    staff = {"Authorization": f"Bearer {issue(settings, 'teacher', SECONDS, office.tenant)}"}
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {office.key}"}, 401), (staff, 403)):
        path = f"/api/v1/tenants/{office.tenant}/credit/"
        answer = await office.http.post(path, json={"amount": "1", "reference": "x"}, headers=headers)
        assert answer.status_code == status


async def test_a_cancelled_reservation_is_not_announced(office: Office) -> None:
    await office.top_up("1000", "reservation")
    assert (await office.ask("POST", "/reservations/77/cancel/")).status_code == 202
    ended = await office.ended(await office.send("상담 예약 안내", "01091000041", reservation_id=77))
    assert (ended["status"], ended["error_code"]) == ("CANCELLED", "RESERVATION_CANCELLED")
    assert not [each for each in office.simulator.ledger() if each["to"] == "01091000041"]


async def test_the_webhook_is_a_hint_and_needs_its_token(office: Office) -> None:
    secret = office.lab.settings.solapi_webhook_secret
    assert secret
    token = hashlib.sha1(secret.get_secret_value().encode()).hexdigest()
    url = "/api/v1/webhooks/solapi"
    forged: list[dict[str, Any]] = [{"groupId": "G4V-none", "statusCode": "4000"}, {"data": 1}, {}]
    for headers in ({}, {"X-Solapi-Secret": "x"}, {"X-Solapi-Secret": token + "0"}):
        assert (await office.http.post(url, json=forged, headers=headers)).status_code == 401
    valid = {"X-Solapi-Secret": token}
    answer = await office.http.post(url, json=forged, headers=valid)
    assert (answer.status_code, answer.json()) == (200, {"woken": 0})
    assert (await office.http.post(url, json={"no": "list"}, headers=valid)).status_code == 422

    await office.top_up("1000", "webhook")
    job_id = await office.send("결과가 오지 않는 번호", "01040404001")

    async def sent() -> list[dict[str, Any]]:
        return [each for each in office.simulator.ledger() if each["to"] == "01040404001"]

    (message,) = await eventually(sent)
    job = (await office.lab.jobs(office.tenant))[-1]

    def reads() -> int:
        return sum(each["step"] == "messages" for each in office.simulator.calls(job.id.hex))

    before = reads()
    flat = {"groupId": message["groupId"], "messageId": message["messageId"], "statusCode": "4000"}
    wrapped = {"eventDataId": "1", "data": flat, "retryCount": 1}
    woken = [(await office.http.post(url, json=[item], headers=valid)).json() for item in (wrapped, flat)]
    assert woken == [{"woken": 1}, {"woken": 0}], "the second hint within seconds is not passed on"

    async def looked() -> bool:
        return reads() > before

    await eventually(looked, "it asks the provider because of the hint")
    standing = (await office.ask("GET", f"/messages/{job_id}/")).json()
    assert standing["recipients"] == {"ACCEPTED": 1}, "what the webhook claims is not believed"
    await office.lab.temporal.get_workflow_handle(job.workflow_id).terminate()


async def test_an_opted_out_phone_gets_no_advertising(office: Office) -> None:
    account = PRICES | {
        "sender": SENDER,
        "sender_numbers": [SENDER],
        "advertiser": "가나다학원",
        "opt_out_number": "0801234567",
        "night_advertising": True,
    }
    path = f"/api/v1/tenants/{office.tenant}/messaging-account/"
    assert (await office.http.put(path, json=account, headers=office.operator)).status_code == 200
    await office.top_up("1000", "advertising")
    assert (await office.ask("POST", "/opt-outs/", {"phone": "010-9100-0051"})).status_code == 201
    assert (await office.ask("POST", "/opt-outs/", {"phone": "02-123"})).status_code == 422
    job_id = await office.send("겨울 특강", "01091000051", "01091000052", advertising=True)
    ended = await office.ended(job_id)
    assert ended["recipients"] == {"SUPPRESSED": 1, "DELIVERED": 1}
    (told,) = [each for each in office.simulator.ledger() if each["to"] in ("01091000051", "01091000052")]
    assert told["text"].startswith("(광고)가나다학원")
    assert told["text"].endswith("0801234567")


async def test_a_second_person_agrees_or_nothing_is_sent(office: Office) -> None:
    """What a system sends waits for nobody, unless the account says so."""
    account = PRICES | {"sender": SENDER, "sender_numbers": [SENDER], "approval_above": 1}
    path = f"/api/v1/tenants/{office.tenant}/messaging-account/"
    assert (await office.http.put(path, json=account, headers=office.operator)).status_code == 200
    await office.top_up("1000", "approval")
    settings = office.lab.settings
    tokens = [issue(settings, name, SECONDS, office.tenant) for name in ("kim", "lee")]
    kim, lee = ({"Authorization": f"Bearer {token}"} for token in tokens)
    people = [{"id": str(n), "to": f"0109100006{n}"} for n in range(2)]
    body = {"job_type": "messages.send", "payload": {"draft": {"text": "승인할 글"}, "recipients": people}}

    async def asked() -> str:
        answer = await office.ask("POST", "/jobs", body, **kim)
        job_id = str(answer.json()["job_id"])

        async def waits() -> bool:
            about = (await office.ask("GET", f"/messages/{job_id}/")).json()["approval"]
            said = about and (about["state"], about["asked_by"], about["most"])
            return bool(said == ("WAITING", "staff kim", "40.00"))

        await eventually(waits, "it waits")
        return job_id

    async def decide(how: str, job_id: str, who: dict[str, str]) -> tuple[int, str | None]:
        answer = await office.ask("POST", f"/messages/{job_id}/{how}/", **who)
        return answer.status_code, answer.json().get("code")

    approved, refused = await asyncio.gather(asked(), asked())
    operator = office.operator | {"X-Tenant-Id": str(office.tenant)}
    for who, code in ((kim, "own_request"), ({}, "not_a_person"), (operator, "not_a_person")):
        assert await decide("approve", approved, who) == (403, code)
    cookie = await signed_in.header(office.lab, office.tenant)
    job = (await office.lab.jobs(office.tenant))[-1]
    for page in ("/console/home", "/console/messages?show=approval", f"/console/messages/{job.id}"):
        shown = await office.http.get(page, headers=cookie)
        assert shown.status_code == 200 and "승인 대기" in shown.text, page
    assert "승인할 글" in shown.text and "kim" in shown.text and "/refuse/" in shown.text
    assert await decide("approve", approved, lee) == (202, None)
    assert await decide("refuse", refused, lee) == (202, None)
    assert await decide("approve", refused, lee) == (409, "not_waiting")
    assert (await office.ended(approved))["recipients"] == {"DELIVERED": 2}
    ended = await office.ended(refused)
    assert (ended["error_code"], ended["recipients"]) == ("NOT_APPROVED", {"CANCELLED": 2})
    assert sum(each["to"] == "01091000060" for each in office.simulator.ledger()) == 1
    costs = (await office.ask("GET", "/message-costs?months=1")).json()["items"]
    kims = [each for each in costs if each["asked_by"] == "staff kim"]
    assert [(each["channel"], each["messages"], each["failed"], each["won"]) for each in kims] == [
        ("SMS", 2, 2, "40.00")
    ]
    book = await office.ask("GET", "/message-costs.xlsx?months=1")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(book.content)).get_sheet_by_index(0).to_python()
    assert ["반 없음", "SMS", "kim", 2.0, 2.0, 40.0] in [row[1:] for row in sheet]
    assert sheet[-1][6] == sum(float(each["won"]) for each in costs)
    shown = await office.http.get("/console/messages/costs", headers=cookie)
    assert shown.status_code == 200 and "kim" in shown.text
    exempt = await office.ended(await office.send("연동", "01091000070", "01091000071"))
    assert (exempt["status"], exempt["approval"]) == ("DONE", None)


async def test_notices_wait_for_others_by_the_accounts_terms(office: Office) -> None:
    """The page says until when, and then how many were told with others. Nobody asks for a digest by name."""
    path = f"/api/v1/tenants/{office.tenant}/messaging-account/"
    for minutes, status in ((61, 422), (None, 422), (10, 200)):
        answer = await office.http.patch(path, json={"digest_minutes": minutes}, headers=office.operator)
        assert answer.status_code == status
    await office.top_up("1000", "digest")
    phone = "01091000091"
    assert (await office.ended(await office.send("바로", phone, at_once=True)))["status"] == "DONE"
    sent = [await office.send(text, phone) for text in ("등원", "숙제")]
    cookie = await signed_in.header(office.lab, office.tenant)
    jobs = {job.external_id: job.id for job in await office.lab.jobs(office.tenant)}
    page = f"/console/messages/{jobs[sent[0]]}"

    async def waits() -> bool:
        return "같은 번호로 가는 알림을 모아" in (await office.http.get(page, headers=cookie)).text

    await eventually(waits, "it has joined")
    digest = next(job for job in await office.lab.jobs(office.tenant) if job.job_type == "messages.digest")
    assert (await office.http.get(f"/console/messages/{digest.id}", headers=cookie)).status_code == 200
    asked = {"job_type": "messages.digest", "payload": {"closes_at": "2026-12-01T00:00:00Z"}}
    assert (await office.ask("POST", "/jobs", asked)).status_code == 422

    async def shared() -> bool:
        async with office.lab.engine.begin() as connection:  # as the digest does it when its time has come
            mine = update(MessageDigest).where(MessageDigest.digest_id == digest.id)
            await connection.execute(mine.values(carried_at=0))
        return bool((await office.ask("GET", f"/messages/{sent[0]}/")).json()["shared"] == 1)

    await eventually(shared, "both have joined")
    assert "받는 사람 1명은 다른 알림과 한 통으로" in (await office.http.get(page, headers=cookie)).text
    async with office.lab.engine.begin() as connection:
        mine = update(MessageDigest).where(MessageDigest.digest_id == digest.id)
        await connection.execute(mine.values(carried_at=None))
    for each in sent:
        outcome = (await office.ask("POST", f"/messages/{each}/cancel/")).json()["outcome"]
        assert outcome == "CANCELLED"
        assert (await office.ended(each))["recipients"] == {"CANCELLED": 1}
    await office.http.patch(path, json={"digest_minutes": 0}, headers=office.operator)


async def test_a_class_is_told_what_it_has_cost(office: Office) -> None:
    """What went to several is nobody's alone, and what went to people, or is not known, says so."""
    await office.top_up("1000", "classes")
    ids = []
    for name, phone in (("김하나", "01091000081"), ("이두리", "01091000082")):
        made = await office.ask("POST", "/students", {"name": name, "parent_phone": phone})
        ids.append(made.json()["student_id"])
    first, other = [
        (await office.ask("POST", "/classes", {"title": title})).json()["class_id"] for title in ("가", "나")
    ]
    for group, chosen in ((first, ids), (other, ids[:1])):
        await office.ask("POST", f"/classes/{group}/students", {"student_ids": chosen})
    everybody: list[dict[str, Any]] = [{"class_id": first}, {"class_ids": [first, other]}]
    everybody += [{"class_ids": [other]}, {"student_ids": ids}]
    sent = [await office.send_body({"draft": {"text": "반"}, "students": each}) for each in everybody]
    ended = [await office.ended(each) for each in sent]
    assert [each["recipients"] for each in ended] == [{"DELIVERED": n} for n in (2, 2, 1, 2)]

    async def costs() -> set[tuple[str, int | None, str | None, int, str]]:
        rows = (await office.ask("GET", "/message-costs?months=1")).json()["items"]
        fields = ("sent_to", "class_id", "class_title", "messages", "won")
        return {tuple(each[field] for field in fields) for each in rows}

    to_classes = {
        ("class", first, "가", 2, "40.00"),
        ("class", other, "나", 1, "20.00"),
        ("classes", None, None, 2, "40.00"),
    }
    assert to_classes < await costs()
    assert {kind for kind, *_ in await costs()} == {"class", "classes", "people"}
    async with office.lab.engine.begin() as connection:  # as a release before left it
        of = [job.id for job in await office.lab.jobs(office.tenant) if job.external_id == sent[0]]
        await connection.execute(update(MessageJob).where(MessageJob.job_id.in_(of)).values(class_ids=None))
    assert ("unknown", None, None, 2, "40.00") in await costs()
    cookie = await signed_in.header(office.lab, office.tenant)
    shown = (await office.http.get("/console/messages/costs", headers=cookie)).text
    assert all(text in shown for text in (">나<", "여러 반", "반 없음", "기록 없음"))
    nowhere = {"draft": {"text": "반"}, "students": {"class_ids": [first, 5]}}
    assert (await office.ask("POST", "/messages/", nowhere)).status_code == 404


async def test_a_stored_text_is_sent_as_it_was_when_it_was_asked_for(office: Office) -> None:
    """By name, again under the same key after it was changed and removed, and by version."""
    await office.top_up("1000", "texts")
    path, first = "/message-templates/등원", {"text": "#{이름} 등원", "after": 0}
    made = (await office.ask("PUT", path, first)).json()
    assert (made["version"], made["variables"], made["text"]) == (1, ["이름"], "#{이름} 등원")
    again = (await office.ask("PUT", path, first | {"after": None})).json()
    assert again["version"] == 1, "it says the same"
    person = {"id": "1", "to": "01091000080", "variables": {"이름": "하늘"}}
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"draft": {"text_template": "등원", "send_at": at}, "recipients": [person]}
    job_id = (await office.ask("POST", "/messages/", body, **{"Idempotency-Key": "kept"})).json()["job_id"]
    second = await office.ask("PUT", path, {"text": "#{이름} 하원", "subject": "알림", "after": 1})
    assert second.json()["version"] == 2
    late = await office.ask("PUT", path, {"text": "x", "after": 1})
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    now = {"draft": {"text_template": "등원"}, "recipients": [person]}
    sent = await office.ended(await office.send_body(now))
    assert sent["status"] == "DONE"
    old = {"text_template": "등원", "text_template_version": 1}
    sent = await office.ended(await office.send_body({"draft": old, "recipients": [person]}))
    assert sent["status"] == "DONE"
    texts = [each["text"] for each in office.simulator.ledger() if each["to"] == "01091000080"]
    assert texts == ["하늘 하원", "하늘 등원"]
    bare = {"draft": old, "recipients": [{"id": "1", "to": "01091000081"}]}
    refused = await office.ended(await office.send_body(bare))
    assert [each["code"] for each in refused["result"]["problems"]] == ["VARIABLE_MISSING"]
    assert (await office.ask("DELETE", path)).status_code == 204
    same = await office.ask("POST", "/messages/", body, **{"Idempotency-Key": "kept"})
    assert (same.status_code, same.json()["job_id"]) == (202, job_id)
    gone = await office.ask("POST", "/messages/", body)
    assert (gone.status_code, gone.json()["code"]) == (422, "unknown_text_template")
    both = await office.ask("POST", "/messages/", body | {"draft": {"text_template": "등원", "text": "x"}})
    assert (both.status_code, both.json()["code"]) == (422, "text_twice")
    async with office.lab.engine.connect() as connection:
        sealed = await jobs.sealed_payload(connection, UUID(job_id))
    assert sealed
    vault = Vault(office.lab.settings.payload_keys.get_secret_value())
    assert vault.open(sealed, job_id)["draft"]["text"] == "#{이름} 등원"
    assert (await office.ask("POST", f"/messages/{job_id}/cancel/")).status_code == 202
    emoji = await office.ask("PUT", path, {"text": "좋은 하루 😀"})
    assert (emoji.status_code, emoji.json()["code"]) == (422, "TEXT_NOT_ENCODABLE")

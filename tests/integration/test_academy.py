"""`academy`: what operators type. It does what the API does, and nothing without its record in the audit."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner, Result

from academy.command import app
from api.auth.service_keys import KnownKey, ServiceKeys
from api.auth.staff import verify
from clients import operators
from clients.database import audit, jobs, tenants
from clients.database.audit import AuditRecord, NewRecord
from clients.database.messaging_models import CreditEntry, MessageJob, MessageRecipient, NotificationLog
from clients.keys import KeyDestroyed
from clients.operators import BEGUN, DONE, FAILED, LEFT, NOBODY, Command
from clients.queues import Queue, QueueMessage
from clients.vault import Vault
from contracts.jobs import JobOutcome, JobRequest, JobState
from contracts.rights import EVERYTHING, Right
from devstack.stack import Stack
from intake.submit import Submitter
from tests.integration.test_keys import tenant_keys
from tests.lab import Lab, eventually, fresh_id

ROOT = Path(__file__).parents[2]
PHONE = "010-1234-5678"
PRICES = ("--price-sms", "20", "--price-lms", "50", "--price-mms", "120", "--price-ata", "15")

# How each is typed. {tenant} and {job} are known, {nobody} is not.
TYPED = {
    Command.ADD_TENANT: "tenant add {nobody}",
    Command.CREATE_SERVICE_KEY: "key create {tenant} --rights look",
    Command.REVOKE_SERVICE_KEY: "key revoke {tenant} abc",
    Command.LIST_SERVICE_KEYS: "key list {tenant}",
    Command.REWRAP_KEYS: "data-key rewrap",
    Command.DESTROY_KEY: "data-key destroy {tenant}",
    Command.RENEW_KEY: "data-key renew {tenant}",
    Command.ISSUE_STAFF_TOKEN: "staff token --tenant {tenant}",
    Command.SHOW_ACCOUNT: "account show {tenant}",
    Command.SHOW_ACCOUNT_NUMBERS: "account show {tenant} --numbers",
    Command.SET_ACCOUNT: "account set {tenant} --pf-id X",
    Command.ADD_CREDIT: "credit add {tenant} 100 --reference x --reason payment",
    Command.SHOW_RESULT: "job show {job} --result",
    Command.CANCEL_JOB: "job cancel {job}",
    Command.RETRY_JOB: "job retry {job}",
    Command.PAUSE_QUEUE: "queue pause messaging",
    Command.RESUME_QUEUE: "queue resume messaging",
    Command.PAUSE_SCHEDULE: "schedule pause messaging-none",
    Command.RESUME_SCHEDULE: "schedule resume messaging-none",
    Command.RUN_SCHEDULE: "schedule run messaging-none",
    Command.SEND_BACK: "letters send-back messaging --all",
    Command.DISCARD: "letters discard messaging abc --reason trial",
    Command.LOOK_AT_TENANT: "erase tenant {tenant} --patience 0",
    Command.ERASE_TENANT: "erase tenant {tenant} --for-ever --patience 0",
    Command.LOOK_FOR_PERSON: "erase person {tenant}",
    Command.ERASE_PERSON: "erase person {tenant} --student 12 --for-ever",
    Command.AFTER_RESTORE: "after-restore --days 1",
    Command.REPAIR: "after-restore --days 1 --repair",
    Command.LOOK_AT_RETENTION: "retention",
    Command.ENFORCE_RETENTION: "retention --enforce",
}
# What those do, or show: none of it before the record is written.
DEEDS = (
    *("database.tenants.add", "database.service_keys.add", "database.service_keys.of_tenant"),
    *("database.service_keys.revoke", "database.credits.account", "database.credits.top_up"),
    *("database.messaging.sender_numbers", "database.messaging_accounts.save", "database.jobs.add_event"),
    *("database.erasing.bury", "database.erasing.tables", "queues.Queue.redrive", "queues.Queue.sift_dead"),
    *("keys.TenantKeys.destroy", "keys.TenantKeys.renew", "keys.TenantKeys.rewrap"),
)


@pytest.fixture(autouse=True)
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


async def typed(*words: str | int | UUID, stdin: str = "") -> Result:
    """What the command prints and ends with, typed by Kim."""
    argv = ["--as", "kim", *map(str, words)]
    return await asyncio.to_thread(CliRunner().invoke, app, argv, input=stdin)


async def told(*words: str | int | UUID, code: int = 0, stdin: str = "") -> list[dict[str, Any]]:
    """Its documents."""
    result = await typed(*words, "--json", stdin=stdin)
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def records(lab: Lab, command: Command, tenant: int | None) -> list[tuple[str, dict[str, Any], int]]:
    mine = (AuditRecord.operation == command, AuditRecord.tenant_id.is_not_distinct_from(tenant))
    async with lab.engine.connect() as connection:
        rows = await connection.execute(select(AuditRecord.__table__).where(*mine).order_by(AuditRecord.id))
        found = list(rows)
    assert all(each.address and each.request_id for each in found)
    return [(each.caller, each.about, each.status) for each in found]


async def a_job(lab: Lab, tenant: int, job_type: str = "video.encode") -> UUID:
    """Accepted, and not started."""
    payload = {"video_id": 1, "file_key": f"tenants/{tenant}/video/raw/1.mp4"}
    request = JobRequest(
        job_type=job_type,
        tenant_id=tenant,
        idempotency_key=uuid4().hex,
        payload=payload,
        payload_sha256="",
        source="api",
    )
    vault = Vault(lab.settings.payload_keys.get_secret_value())
    (accepted,) = await Submitter(lab.engine, lab.temporal, vault).accept([request])
    return accepted.job_id


def audit_is_away() -> Exception:
    return OperationalError("INSERT", None, Exception("gone"))


@pytest.mark.parametrize("command", Command, ids=lambda command: command.name)
async def test_without_a_record_nothing_is_done(
    command: Command, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = fresh_id()
    job = await a_job(lab, tenant)
    asked: list[str] = []
    written: list[str] = []

    async def refuse(_connection: object, rows: list[NewRecord]) -> None:
        written.extend(each.operation for each in rows)
        raise audit_is_away()

    monkeypatch.setattr(audit, "add", refuse)
    for deed in DEEDS:
        monkeypatch.setattr(f"clients.{deed}", lambda *_, deed=deed, **__: asked.append(deed))
    words = TYPED[command].format(tenant=tenant, job=job, nobody=fresh_id()).split()
    result = await typed(*words, stdin=f"{PHONE}\n")
    assert "nothing was done: the audit cannot be written" in result.output and result.exit_code == 1
    assert written == [command] and asked == []


async def test_a_record_says_who_typed_what_and_how_it_ended(lab: Lab) -> None:
    tenant = fresh_id()
    sealed = (await tenant_keys(lab).sealer(tenant)).seal(b"text", b"here")
    found = await told("erase", "person", tenant, stdin=f"{PHONE}\n")
    assert found[-1]["tenant"] == tenant and PHONE not in str(found)
    about = {"phone": "010-****-5678"}
    kim = "shell kim"
    seen = [
        (caller, {"phone": told["phone"]}, status)
        for caller, told, status in await records(lab, Command.LOOK_FOR_PERSON, tenant)
    ]
    assert seen == [(kim, about, BEGUN), (kim, about, DONE)]
    nobody = await typed("erase", "person", tenant, "--student", 12, "--for-ever")
    assert nobody.exit_code == 1 and "nobody" in nobody.output
    assert [each[2] for each in await records(lab, Command.ERASE_PERSON, tenant)] == [BEGUN, NOBODY]
    assert (await tenant_keys(lab).opener(tenant)).open(sealed, b"here") == b"text"
    assert await told("data-key", "destroy", tenant) == [{"destroyed": tenant}]
    assert [each[2] for each in await records(lab, Command.DESTROY_KEY, tenant)] == [BEGUN, DONE]
    with pytest.raises(KeyDestroyed):
        await tenant_keys(lab).opener(tenant)


async def test_what_fails_is_recorded_as_failed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise audit_is_away()

    tenant = fresh_id()
    monkeypatch.setattr("clients.keys.TenantKeys.destroy", away)
    result = await typed("data-key", "destroy", tenant)
    assert result.exit_code == 1 and "does not answer" in result.output and "Traceback" not in result.output
    assert [each[2] for each in await records(lab, Command.DESTROY_KEY, tenant)] == [BEGUN, FAILED]


async def test_a_service_key_from_its_making_to_its_end(lab: Lab) -> None:
    tenant, known = fresh_id(), ServiceKeys(lab.engine, 0.0)
    (made,) = await told("key", "create", tenant, "--rights", "look,send")
    prefix, _, secret = made["key"].partition(".")
    assert await known.find(prefix, secret) == KnownKey(tenant, frozenset({Right.LOOK, Right.SEND}))
    (shown,) = await told("key", "list", tenant)
    assert (shown["key"], shown["rights"]) == (prefix, ["look", "send"]) and secret not in str(shown)
    assert (await typed("key", "revoke", fresh_id(), prefix)).exit_code == 1, "another's is left alone"
    assert await told("key", "revoke", tenant, prefix) == [{"revoked": prefix}]
    assert await known.find(prefix, secret) is None
    _, made_it = await records(lab, Command.CREATE_SERVICE_KEY, tenant)
    assert made_it[1]["rights"] == "look,send" and made_it[1]["key"] == prefix
    whole = await typed("key", "revoke", tenant, made["key"])
    assert whole.exit_code == 2 and secret not in whole.output


async def test_an_academy_its_account_and_its_credit(lab: Lab) -> None:
    tenant = fresh_id()
    assert await told("tenant", "add", tenant, "--code", "gana") == [{"added": tenant}]
    assert (await typed("tenant", "add", tenant)).exit_code == 1
    assert [each["code"] for each in await told("tenant", "list", "--after", tenant - 1, "--limit", 1)] == [
        "gana"
    ]
    missing = await typed("account", "set", tenant, "--sender", "0212345678")
    assert missing.exit_code == 2 and "price_sms" in missing.output
    wrong = await typed("account", "set", tenant, *PRICES, "--sender", "call me")
    assert wrong.exit_code == 2 and "sender" in wrong.output and "call me" not in wrong.output
    numbers = ("--sender", "0212345678", "--sender-number", "0212345678")
    (saved,) = await told("account", "set", tenant, *PRICES, *numbers)
    assert saved["credit_balance"] == "0.00"
    await told("account", "set", tenant, "--pf-id", "KA01", "--no-waits-for-credit")  # all else stays
    (shown,) = await told("account", "show", tenant)
    assert shown["pf_id"] == "KA01" and shown["price_ata"] == "15.00" and not shown["waits_for_credit"]
    assert "12345678" not in str(shown)
    (shown,) = await told("account", "show", tenant, "--numbers")
    assert shown["sender"] == "0212345678" and shown["sender_numbers"] == ["0212345678"]
    pay = ("credit", "add", tenant, "5000", "--reference", "invoice-7", "--reason", "payment")
    assert [await told(*pay), await told(*pay)] == [
        [{"counted": True, "credit_balance": "5000.00"}],
        [{"counted": False, "credit_balance": "5000.00"}],
    ]
    assert (await told("credit", "show", tenant))[0]["ledger"] == "5000.00"
    assert (await told("tenant", "show", tenant))[0]["credit"] == "5000.00"
    poor = await typed("credit", "add", fresh_id(), "1", "--reference", "x", "--reason", "gift")
    assert poor.exit_code == 1 and "no messaging account" in poor.output
    assert (await records(lab, Command.ADD_CREDIT, tenant))[0][1]["won"] == "5000"


async def test_a_job_is_seen_stopped_and_not_run_again_without_its_lecture(lab: Lab) -> None:
    tenant = fresh_id()
    job = await a_job(lab, tenant)
    listed = ("job", "list", "--tenant", tenant, "--type", "video.encode", "--state", "PENDING", "--open")
    (line,) = await told(*listed)
    assert line["job"] == str(job) and line["tenant"] == tenant
    assert (await told("job", "show", job))[0].get("result", "hidden") == "hidden"
    assert (await typed("job", "retry", job)).exit_code == 1, "it has not ended"
    assert await told("job", "cancel", job) == [{"asked_to_stop": str(job)}]
    (shown,) = await told("job", "show", job, "--result")
    assert shown["state"] == "CANCELLED" and "result" in shown
    assert [each["kind"] for each in await told("job", "log", job)] == [
        "accepted",
        "cancel asked",
        "finished",
    ]
    again = await typed("job", "cancel", job)
    assert again.exit_code == 1 and "has ended" in again.output
    retried = await typed("job", "retry", job)
    assert retried.exit_code == 1 and "The video is gone" in retried.output
    assert [each[2] for each in await records(lab, Command.CANCEL_JOB, tenant)] == [BEGUN, DONE, BEGUN, LEFT]
    assert (await typed("job", "show", uuid4())).exit_code == 1
    assert (await typed("job", "list", "--type", "video.none")).exit_code == 2


async def test_queues_and_workers_are_listed(lab: Lab) -> None:
    assert {each["queue"] for each in await told("queue", "list")} == set(lab.settings.queue_names())
    assert {"queue", "kind", "backlog", "oldest_seconds", "pollers", "paused"} == set(
        (await told("queue", "tasks"))[0]
    )
    for worker in await told("worker", "list"):
        assert worker["activities"][0] >= 0


async def test_a_letter_is_listed_without_its_body_and_thrown_away(lab: Lab) -> None:
    queue = Queue(lab.settings, lab.settings.queue_names()["messaging"])
    body = json.dumps({"tenant_id": 7, "to": PHONE})
    letter = queue.dead_letter(QueueMessage(uuid4().hex, "", body), "INVALID", "no text")

    async def seen() -> list[dict[str, Any]]:
        found = await told("letters", "list", "messaging", "--limit", 1000)
        return [each for each in found if each["letter"] == letter]

    (shown,) = await eventually(seen, "the letter is listed")
    assert (shown["reason"], shown["tenant"]) == ("INVALID", "7") and "1234" not in str(shown)
    gone = await typed("letters", "send-back", "messaging", "0000")
    assert gone.exit_code == 1 and (await typed("letters", "send-back", "messaging")).exit_code == 2
    discard = ("letters", "discard", "messaging", letter, "--reason", "trial")
    assert await told(*discard) == [{"discarded": letter}]
    assert (await typed(*discard)).exit_code == 1
    assert (await records(lab, Command.DISCARD, None))[-1][2] == NOBODY
    assert (await typed("letters", "list", "none")).exit_code == 2


async def test_what_an_academy_used_in_a_month(lab: Lab) -> None:
    tenant = fresh_id()
    lecture, document = await a_job(lab, tenant), await a_job(lab, tenant, "ai.ocr")
    person = {"job_id": lecture, "position": 0, "tenant_id": tenant, "chunk": 0, "recipient_id": "1"}
    sent = {"phone_mac": b"", "masked_phone": "", "channel": "SMS", "state": "DELIVERED"}
    ledger = {"tenant_id": tenant, "kind": "RESERVE", "amount": -20, "job_id": lecture, "position": 0}
    async with lab.engine.begin() as connection:
        now = await jobs.now(connection)
        await jobs.finish(connection, lecture, JobOutcome(state=JobState.DONE, result={"duration": 90.0}))
        await jobs.finish(
            connection, document, JobOutcome(state=JobState.DONE, result={"summary": {"pages": 3}})
        )
        await connection.execute(insert(MessageRecipient).values(**person, **sent, final_at=now))
        await connection.execute(insert(CreditEntry).values(**ledger))
        await connection.execute(insert(CreditEntry).values(**ledger | {"kind": "REFUND", "amount": 5}))
    (row,) = await told("usage", "--tenant", tenant, "--months", 2)
    used = {name: row[name] for name in ("lectures", "minutes", "pages", "messages", "won")}
    assert used == {"lectures": 1, "minutes": "1.5", "pages": 3, "messages": 1, "won": "15.00"}
    assert await told("usage", "--tenant", tenant, "--month", "2001-01") == []
    await the_log_has(lab, tenant, lecture, now)
    rows = await told("usage", "--tenant", tenant, "--messages")
    names = ("channel", "asked_by", "messages", "failed", "won")
    assert [[row[name] for name in names] for row in rows] == [
        ["ATA", "staff kim", 0, 1, "0.00"],
        ["SMS", "staff kim", 2, 0, "35.00"],
    ]
    assert await told("usage", "--tenant", tenant, "--messages", "--month", "2001-01") == []


async def the_log_has(lab: Lab, tenant: int, job: UUID, now: datetime) -> None:
    """An SMS; an Alimtalk that was carried as one, with somebody who shares it; and one that failed."""
    person = {"job_id": job, "tenant_id": tenant, "chunk": 0, "recipient_id": "1", "phone_mac": b""}
    person |= {"masked_phone": "", "channel": "ATA", "sent_as": None, "merged_into": None}
    people = [{"sent_as": "SMS"}, {"merged_into": 1}, {}]
    line = {"tenant_id": tenant, "job_id": job, "sent_at": now}
    line |= {"recipient_summary": "", "template_summary": ""}
    lines = [(True, 15), (True, 20), (True, 0), (False, 0)]
    async with lab.engine.begin() as connection:
        about = {"job_id": job, "tenant_id": tenant, "asked_by": "staff kim"}
        await connection.execute(insert(MessageJob).values(about))
        rows = [person | some | {"position": n} for n, some in enumerate(people, 1)]
        await connection.execute(insert(MessageRecipient), rows)
        logged = [
            line | {"position": n, "success": success, "amount_deducted": won}
            for n, (success, won) in enumerate(lines)
        ]
        await connection.execute(insert(NotificationLog), logged)


async def test_a_staff_token_is_an_operators_or_an_academys(lab: Lab) -> None:
    (all_,), (one,) = await told("staff", "token"), await told("staff", "token", "--tenant", 7)
    assert verify(lab.settings, all_["token"]).role == "operator"
    staff = verify(lab.settings, one["token"])
    assert (staff.sub, staff.tenant_id, staff.role) == ("kim", 7, None) and EVERYTHING


async def test_a_table_gives_a_terminal_no_orders(lab: Lab) -> None:
    tenant = fresh_id()
    async with lab.engine.begin() as connection:
        await tenants.add(connection, tenant, "\x1b[31m")
    assert "?[31m" in (await typed("tenant", "list", "--after", tenant - 1)).stdout


async def test_a_server_that_is_away_is_one_sentence(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = fresh_id()
    monkeypatch.setenv("DB_PORT", "1")
    away = await typed("job", "list")
    assert away.exit_code == 1 and "does not answer" in away.output and "Traceback" not in away.output
    monkeypatch.setenv("DB_PORT", lab.stack.environment()["DB_PORT"])
    await typed("account", "set", tenant, *PRICES)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    nobody = await typed("worker", "list")
    assert (nobody.exit_code, nobody.output) == (1, "Temporal does not answer\n")
    pay = ("credit", "add", tenant, "100", "--reference", "x", "--reason", "gift")
    assert (await told(*pay))[0]["counted"], "who waits for it looks for themselves"
    monkeypatch.delenv("DB_HOST")
    assert (await typed("job", "list")).exit_code == 2


@pytest.mark.parametrize("text", ["0", "-1", "x", "9" * 5000, "٣", "1.0", ""])
async def test_no_tenant_has_such_a_number(text: str) -> None:
    assert (await typed("key", "list", "--", text)).exit_code == 2
    for name in ("k" * 101, "two words", "a\n", "\ud800"):
        with pytest.raises(ValueError, match="letters, digits"):
            operators.who(name)
    assert operators.who("kim@x.kr").name == "kim@x.kr"

"""The second half of `make demo`: parents get messages, on the simulated phones of a simulated provider."""

import time
from decimal import Decimal
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.accounts import AccountSettings, save_account
from clients.database import credits
from clients.database.models import Job
from clients.settings import Settings
from devstack.app import App
from devstack.processes import StackError
from devstack.producer import Producer, message_body

SENDER = "0212345678"
CREDIT = Decimal(100_000)
NOTICE = 1_000
POLL = 0.5
WITHIN = 120.0
FINAL = ("DONE", "FAILED", "CANCELLED", "REJECTED_BAD_INPUT", "REVIEW_REQUIRED")

ARRIVAL = {"학원": "가나다학원", "이름": "김하늘", "시각": "16:05"}
SMS = "[가나다학원] 김하늘 학생이 16:05에 등원했습니다."
LMS = """[가나다학원] 겨울 특강 안내
12월 21일(월)부터 4주 동안 수학과 영어 겨울 특강을 엽니다.
신청: 12월 11일(금)까지 데스크 또는 학부모 앱
문의: 02-1234-5678"""


async def open_account(connection: AsyncConnection, tenant: int, credit: Decimal = CREDIT) -> str:
    """An account for a tenant, with credit in won."""
    settings = AccountSettings(
        price_sms=Decimal(20),
        price_lms=Decimal(50),
        price_mms=Decimal(120),
        price_ata=Decimal(15),
        sender=SENDER,
        sender_numbers=[SENDER],
    )
    await save_account(connection, tenant, settings)
    await credits.top_up(connection, tenant, credit, "demo")
    return str(credit)


async def newest_jobs(connection: AsyncConnection, tenant: int) -> list[str]:
    """Ids of the tenant's messaging jobs from the queue, in the order of their acceptance."""
    rows = await connection.execute(
        select(Job.external_id)
        .where(Job.tenant_id == tenant, Job.job_type == "messaging.send")
        .order_by(Job.seq)
    )
    return list(rows.scalars())


def send_from_queue(producer: Producer, settings: Settings, tenant: int) -> list[str]:
    """What the existing producers send; returns what each shows. The third parent has no KakaoTalk."""
    replacements = [{"key": key, "value": value} for key, value in ARRIVAL.items()]
    alimtalk = {
        "message_mode": "both",
        "template_id": "TP01ARRIVAL",
        "alimtalk_replacements": replacements,
    }
    job_requests: list[tuple[str, str, str, dict[str, Any]]] = [
        ("SMS", "010-2345-6701", SMS, {}),
        ("LMS", "010-2345-6702", LMS, {}),
        ("Alimtalk → SMS", "010-4040-2001", SMS, alimtalk),
    ]
    for _, phone, text, more in job_requests:
        producer.send(settings.messaging_sqs_queue_name, message_body(tenant, phone, text, **more))
    return [name for name, *_ in job_requests]


def send_notice(client: httpx.Client) -> str:
    """One notice to a thousand parents over the API; returns the job's id."""
    recipients = [
        # One in a hundred cannot be reached (`devstack.solapi.carriers`).
        {"id": f"student-{n}", "to": f"0104040{n % 100 == 7:d}{n:03}", "variables": {"이름": f"학생{n}"}}
        for n in range(NOTICE)
    ]
    body = {
        "draft": {"text": "[가나다학원] #{이름} 학생 12월 시간표가 나왔습니다."},
        "recipients": recipients,
    }
    answer = client.post("/api/v1/messages/", json=body, headers={"Idempotency-Key": "demo-notice"})
    return str(answer.raise_for_status().json()["job_id"])


def watch(client: httpx.Client, app: App, jobs: dict[str, str], console: Console) -> None:
    """Show how reports come in until every job has ended; then a table of who got what."""
    answers: dict[str, dict[str, Any]] = {}
    columns = (TextColumn("{task.description:<15}"), BarColumn(), TextColumn("{task.fields[state]}"))
    deadline = time.monotonic() + WITHIN
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        tasks = {name: bars.add_task(name, total=None, state="") for name in jobs}
        while any(answers.get(name, {}).get("status") not in FINAL for name in jobs):
            if dead := app.dead():
                raise dead.died()
            if time.monotonic() > deadline:
                raise StackError(f"messages did not end within {WITHIN:.0f} s; see .data/demo/logs")
            for name, job_id in jobs.items():
                answers[name] = client.get(f"/api/v1/messages/{job_id}/").raise_for_status().json()
                states = answers[name]["recipients"]
                ended = sum(count for state, count in states.items() if state not in ("PENDING", "ACCEPTED"))
                bars.update(
                    tasks[name],
                    total=sum(states.values()) or None,
                    completed=ended,
                    state=answers[name]["status"],
                )
            time.sleep(POLL)
    table = Table("message", "job", "delivered", "failed", "reasons")
    for name, answer in answers.items():
        states = answer["recipients"]
        failed = sum(count for state, count in states.items() if state != "DELIVERED")
        reasons = ", ".join(f"{code} × {count}" for code, count in sorted(answer["reasons"].items()))
        table.add_row(name, answer["status"], str(states.get("DELIVERED", 0)), str(failed), reasons)
    console.print(table)

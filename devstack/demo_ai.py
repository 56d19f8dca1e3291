"""The third part of `make demo`: an exam page is read, and a roster with three bad rows imported."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import xlsxwriter
from rich.console import Console
from rich.table import Table

from clients.objects import Objects
from clients.settings import Settings
from devstack.app import App
from devstack.processes import StackError
from devstack.producer import Producer, ai_body

POLL = 0.5
WITHIN = 180.0
FINAL = ("DONE", "FAILED", "CANCELLED", "REJECTED_BAD_INPUT", "REVIEW_REQUIRED")
HEADER = ["이름", "학부모 연락처", "학교", "학년"]
GOOD = [[f"{family}{given}", f"010-2345-{n:04}", "한빛중", "2"] for n, (family, given) in enumerate(
    (family, given) for family in "김이박최정" for given in ("하늘", "바다", "가람", "누리")
)]  # fmt: skip
BAD = [
    ["", "010-2345-9001", "한빛중", "2"],
    ["강산", "없음", "한빛중", "2"],
    ["한별", "02-123-4567", "한빛중", "2"],
]


def send(producer: Producer, settings: Settings, tenant: int, folder: Path, page: Path) -> dict[str, str]:
    """The producers' messages for both; returns what each shows → its job's id."""
    objects, roster = Objects(settings), folder / "roster.xlsx"
    with xlsxwriter.Workbook(roster) as book:
        sheet = book.add_worksheet("2학년")
        sheet.write_row(0, 0, ["가나다학원 겨울 특강 명단"])
        for number, row in enumerate([HEADER, *GOOD, *BAD]):
            sheet.write_row(2 + number, 0, row)
    keys = {}
    for file in (page, roster):
        keys[file.name] = f"tenants/{tenant}/uploads/{file.name}"
        objects.put(keys[file.name], file, "application/octet-stream")
    payloads: dict[str, tuple[str, dict[str, Any]]] = {
        "exam page": ("ocr", {"file_key": keys[page.name], "mode": "scan"}),
        "roster": (
            "excel_parsing",
            {
                "file_key": keys[roster.name],
                "bucket": settings.r2_bucket,
                "tenant_id": tenant,
                "initial_password": "change-me",
            },
        ),
    }
    for name, (job_type, payload) in payloads.items():
        producer.send(
            settings.ai_sqs_queue_name_basic, ai_body(tenant, f"demo-{job_type}", job_type, payload)
        )
        payloads[name] = (f"demo-{job_type}", payload)
    return {name: job_id for name, (job_id, _) in payloads.items()}


def watch(client: httpx.Client, app: App, jobs: dict[str, str], console: Console) -> dict[str, Any]:
    """Wait for both; returns their answers."""
    answers: dict[str, Any] = {}
    deadline = time.monotonic() + WITHIN
    with console.status("reading the exam page and the roster …"):
        while len(answers) < len(jobs):
            if dead := app.dead():
                raise dead.died()
            if time.monotonic() > deadline:
                raise StackError(f"the AI jobs did not end within {WITHIN:.0f} s; see .data/demo/logs/ai.log")
            for name, job_id in jobs.items():
                response = client.get(f"/api/v1/jobs/{job_id}/")
                if response.status_code == 200 and response.json()["status"] in FINAL:
                    answers[name] = response.json()
            time.sleep(POLL)
    return answers


def report(settings: Settings, answers: dict[str, Any], folder: Path, console: Console) -> None:
    """The picture with the words boxed, the first lines, and the roster's bad rows."""
    objects = Objects(settings)
    page, roster = answers["exam page"]["result"], answers["roster"]["result"]
    overlay = folder / "overlay.png"
    overlay.write_bytes(objects.get(page["files"]["overlay.png"]))
    text = objects.get(page["files"]["text.txt"]).decode()
    console.print(
        f"[bold]{'exam page':<17}[/bold]{page['summary']['words']} words: {overlay}", soft_wrap=True
    )
    console.print(text.strip().splitlines()[1], style="dim", highlight=False)
    summary = roster["summary"]
    console.print(
        f"[bold]{'roster':<17}[/bold]{summary['new']} students added, {summary['failed']} rows not taken"
    )
    table = Table("sheet", "row", "column", "code", "value")
    for problem in json.loads(objects.get(roster["files"]["report.json"]))["problems"]:
        table.add_row(*(str(problem[name]) for name in ("sheet", "row", "column", "code", "value")))
    console.print(table)

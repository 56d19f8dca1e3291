"""A roster of 50,000 students in 10 columns: from the message to the end of the job, against calamine's bare
reading of the file and the database's own time for the same statements."""

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import xlsxwriter
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.students.commit import AT_ONCE
from activities.ai.students.passwords import hashed
from activities.ai.tasks.roster.parse import Row
from activities.ai.tasks.roster.task import ROSTER, ROWS, read_rows
from clients.database import students
from clients.database.students import SealedStudent
from clients.keys import TenantKeys
from clients.people import seal_students
from clients.vault import Vault
from devstack.app import running
from tests.lab import Lab, eventually, fresh_id

STUDENTS = 50_000
ROUNDS = 6
LECTURE, PASSWORD = 7, "first-1234"
BARE = """
import sys, time
from python_calamine import CalamineWorkbook
began = time.perf_counter()
CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()
print(time.perf_counter() - began)
"""
HEADER = ["번호", "이름", "학생 연락처", "학부모 연락처", "학교", "학년", "반", "성별", "생년월일", "비고"]


def write_roster(path: Path) -> None:
    """Half of the parents' phones as numbers without their zero, as spreadsheets leave them."""
    chance = random.Random(1)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("원생")
        sheet.write_row(0, 0, ["원생 명단"])
        sheet.write_row(1, 0, HEADER)
        for number in range(STUDENTS):
            last, first = (
                chance.choice("김이박최정강조윤장임"),
                "".join(chance.choices("민서준하윤도현지우", k=2)),
            )
            parent = f"010-{5000 + number // 10_000}-{number % 10_000:04d}"
            school = chance.choice(["한빛중학교", "새론고등학교", "누리초등학교"])
            born = (
                f"20{chance.randrange(8, 16):02d}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
            )
            sheet.write_row(
                number + 2,
                0,
                [
                    number + 1,
                    last + first,
                    f"010-{2000 + number // 10_000}-{number % 10_000:04d}",
                    parent if number % 2 else int(parent.replace("-", "")),
                    school,
                    chance.choice(["1학년", "2학년", "3학년"]),
                    chance.choice("ABCDE") + "반",
                    chance.choice("남여"),
                    born,
                    f"상담 {number}",
                ],
            )


def bare(path: Path) -> float:
    """In a process of its own: this one's memory, full of students, would make the reader slower."""
    told = subprocess.run([sys.executable, "-c", BARE, str(path)], check=True, capture_output=True)
    return float(told.stdout)


def checked(path: Path) -> tuple[float, list[Row]]:
    """All that the child does, and reading back what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        units, out = Path(folder, "units"), Path(folder, "out")
        out.mkdir()
        began = time.perf_counter()
        results = []
        for unit in ROSTER.plan(path, {}):
            (units / unit).mkdir(parents=True)
            results.append((unit, ROSTER.run(path, unit, {}, units / unit)))
        done = ROSTER.assemble(path, results, parameters={}, units=units, out=out)
        rows = list(read_rows(out / ROWS))
        took = time.perf_counter() - began
    assert done.summary == {"rows": STUDENTS, "students": STUDENTS, "failed": 0, "repeated": 0}
    return took, rows


async def run(lab: Lab) -> dict[str, object]:
    keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    path = lab.stack.data_dir / "roster.xlsx"
    write_roster(path)
    password_hash = hashed(PASSWORD)
    parse, check, database, jobs = [], [], [], []
    async with running(lab.stack, "bridge", "ai", "ops"):
        for number in range(ROUNDS):
            parse.append(bare(path))
            took, rows = checked(path)
            check.append(took)
            for statements in (number % 2 == 0, number % 2 == 1):  # in turns who comes first
                tenant = fresh_id()
                if statements:
                    sealer = await keys.sealer(tenant)
                    sealed = seal_students(sealer, [row.values for row in rows])
                    async with lab.engine.connect() as connection:
                        database.append(await statements_alone(connection, tenant, sealed, password_hash))
                else:
                    key = f"tenants/{tenant}/uploads/roster.xlsx"
                    lab.objects.put(key, path, "application/octet-stream")
                    jobs.append(await job(lab, tenant, key))
            print(
                f"round {number + 1}: calamine {parse[-1]:.2f} s, database {database[-1]:.2f}, "
                f"read and checked {check[-1]:.2f}, job {jobs[-1]:.2f}",
                flush=True,
            )
    middle = statistics.median
    ours, peer = middle(jobs), middle(parse) + middle(database)
    return {
        "ours": round(ours, 2),
        "peers": {"calamine and the statements alone": round(peer, 2)},
        "ratio": round(ours / peer, 2),
        "unit": f"s for {STUDENTS} students",
        "seconds": {
            "calamine": round(middle(parse), 2),
            "database": round(middle(database), 2),
            "read and checked, in this process": round(middle(check), 2),
        },
    }


async def statements_alone(
    connection: AsyncConnection, tenant: int, sealed: list[SealedStudent], password_hash: str
) -> float:
    """What a commit asks of the database, with everything sealed before."""
    began = time.perf_counter()
    await students.lock_roster(connection, tenant)
    for start in range(0, len(sealed), AT_ONCE):
        part = sealed[start : start + AT_ONCE]
        await students.known(connection, tenant, [each.identity_mac for each in part], lock=True)
        await students.lookalikes(
            connection, tenant, [each.likeness_mac for each in part if each.likeness_mac]
        )
        written = await students.insert_students(connection, tenant, uuid4(), part, password_hash, LECTURE)
        assert written == len(part)
    await connection.commit()
    return time.perf_counter() - began


async def job(lab: Lab, tenant: int, key: str) -> float:
    """From before the message is sent until the job has ended, by the database's clock on this machine."""
    name = f"job-{uuid4().hex}"
    payload = {
        "file_key": key,
        "bucket": lab.settings.r2_bucket,
        "tenant_id": tenant,
        "initial_password": PASSWORD,
        "lecture_id": LECTURE,
    }
    body = {
        "job_id": name,
        "job_type": "excel_parsing",
        "tier": "basic",
        "payload": payload,
        "tenant_id": str(tenant),
        "source_domain": "bench",
        "source_id": None,
        "created_at": "2026-01-01T00:00:00Z",
        "attempt": 1,
    }
    sent = time.time()
    await asyncio.to_thread(lab.send, "ai-basic", body)

    async def look() -> Any:
        return next(
            (row for row in await lab.jobs(tenant) if row.external_id == name and row.finished_at), None
        )

    ended = await eventually(look, "the roster was imported")
    summary = ended.result["summary"]
    assert summary["new"] == summary["enrolled"] == STUDENTS, summary
    return float(ended.finished_at.timestamp() - sent)

"""A roster of 50,000 students in 10 columns: read, checked and committed, against calamine's bare reading of
the file and the database's own time for the same rows."""

import random
import statistics
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import xlsxwriter
from python_calamine import CalamineWorkbook
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.roster.commit import AT_ONCE, commit
from activities.ai.roster.parse import Row
from activities.ai.roster.people import seal_student
from activities.ai.roster.task import ROSTER, ROWS, read_rows
from clients.database import academy
from clients.keys import Sealer, TenantKeys
from clients.vault import Vault
from tests.lab import Lab, fresh_id

STUDENTS = 50_000
ROUNDS = 5
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
    began = time.perf_counter()
    CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return time.perf_counter() - began


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
        done = ROSTER.assemble(path, results, {}, units, out)
        rows = read_rows(out / ROWS)
        took = time.perf_counter() - began
    assert done.summary == {"rows": STUDENTS, "students": STUDENTS, "failed": 0, "repeated": 0}
    return took, rows


async def run(lab: Lab) -> dict[str, object]:
    keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    path = lab.stack.data_dir / "roster.xlsx"
    write_roster(path)
    parse, check, database, write, again = [], [], [], [], []
    for number in range(ROUNDS):
        parse.append(bare(path))
        took, rows = checked(path)
        check.append(took)
        for statements in (number % 2 == 0, number % 2 == 1):  # in turns who comes first
            tenant = fresh_id()
            sealer = await keys.sealer(tenant)
            async with lab.engine.connect() as connection:
                if statements:
                    database.append(await statements_alone(connection, sealer, tenant, rows))
                else:
                    write.append(await committed(connection, sealer, tenant, rows, new=STUDENTS))
                    again.append(await committed(connection, sealer, tenant, rows, new=0))
        print(
            f"round {number + 1}: calamine {parse[-1]:.2f} s, read and checked {check[-1]:.2f}, database "
            f"{database[-1]:.2f}, commit {write[-1]:.2f}, again {again[-1]:.2f}",
            flush=True,
        )
    middle = statistics.median
    ours, peer = middle(check) + middle(write), middle(parse) + middle(database)
    return {
        "ours": round(ours, 2),
        "peers": {"calamine and the statements alone": round(peer, 2)},
        "ratio": round(ours / peer, 2),
        "unit": f"s for {STUDENTS} students",
        "seconds": {
            "calamine": round(middle(parse), 2),
            "read and checked": round(middle(check), 2),
            "database": round(middle(database), 2),
            "commit": round(middle(write), 2),
            "the same file again": round(middle(again), 2),
        },
    }


async def statements_alone(
    connection: AsyncConnection, sealer: Sealer, tenant: int, rows: list[Row]
) -> float:
    """What a commit asks of the database, with everything sealed before."""
    sealed = [seal_student(sealer, row.values) for row in rows]
    began = time.perf_counter()
    for start in range(0, len(sealed), AT_ONCE):
        part = sealed[start : start + AT_ONCE]
        await academy.students(connection, tenant, [each.identity_mac for each in part], lock=True)
        await academy.lookalikes(
            connection, tenant, [each.likeness_mac for each in part if each.likeness_mac]
        )
        await academy.insert_students(connection, tenant, uuid4(), part, None)
    await connection.commit()
    return time.perf_counter() - began


async def committed(
    connection: AsyncConnection, sealer: Sealer, tenant: int, rows: list[Row], new: int
) -> float:
    began = time.perf_counter()
    found = await commit(connection, sealer, tenant, uuid4(), rows, initial_password="first-1234")
    await connection.commit()
    took = time.perf_counter() - began
    assert found.summary()["new"] == new and found.summary()["unchanged"] == STUDENTS - new
    return took

"""The attendance of a lecture as an xlsx file: a row for each student, a column for each day."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.sandbox.task import BadInput
from activities.ai.students.exports.sheet import Book
from activities.host.threads import in_thread
from clients.database import academy
from clients.keys import Sealer
from clients.people import open_student
from contracts.errors import NOTHING_TO_EXPORT

STATUSES = {
    "PRESENT": "출석",
    "ONLINE": "온라인",
    "LATE": "지각",
    "LEFT_EARLY": "조퇴",
    "EXCUSED": "인정결석",
    "ABSENT": "결석",
}


@dataclass(frozen=True, repr=False)
class Attendee:
    """A student of a lecture; `statuses` by day."""

    name: str
    school: str
    grade: str
    statuses: Mapping[date, str]


def attendance_workbook(rows: Sequence[Attendee], path: Path) -> None:
    """Write `rows`, in their order. A status that we do not know stands as it is."""
    days = sorted({day for row in rows for day in row.statuses})
    columns = [("번호", 6.0), ("이름", 12.0), ("학교", 16.0), ("학년", 8.0)]
    columns += [(f"{day:%Y-%m-%d}", 11.0) for day in days]
    columns += [(label, 8.0) for label in STATUSES.values()]
    with Book(path) as book:
        table = book.sheet("출석부", columns, frozen=2)
        for number, row in enumerate(rows, 1):
            count = Counter(row.statuses.values())
            marks = [STATUSES.get(row.statuses.get(day, ""), row.statuses.get(day)) for day in days]
            totals = [count[status] for status in STATUSES]
            table.write([number, row.name, row.school, row.grade, *marks, *totals])


async def export_attendance(
    connection: AsyncConnection, sealer: Sealer, *, tenant_id: int, lecture_id: int, path: Path
) -> dict[str, int]:
    """Write the attendance of all who are enrolled in a lecture or have attended it, by name; returns how
    many. Raises BadInput(NOTHING_TO_EXPORT), KeyDestroyed."""
    students = await academy.lecture_students(connection, tenant_id, lecture_id)
    if not students:
        raise BadInput(NOTHING_TO_EXPORT)
    statuses: dict[int, dict[date, str]] = defaultdict(dict)
    for student_id, day, status in await academy.attendance(connection, tenant_id, lecture_id):
        statuses[student_id][day] = status

    def write() -> None:
        rows = []
        for student in students:
            values = open_student(sealer, student)
            shown = (values["name"], values.get("school", ""), values.get("grade", ""))
            rows.append(Attendee(*shown, statuses[student.id]))
        attendance_workbook(sorted(rows, key=lambda row: row.name), path)

    await in_thread(write)
    return {"students": len(students)}

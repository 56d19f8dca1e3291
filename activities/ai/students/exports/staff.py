"""The working hours of an academy's staff in a month, as an xlsx file: each stretch, and the sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.sandbox.task import BadInput
from activities.ai.students.exports.sheet import Book
from activities.ai.students.people import open_staff_name
from activities.host.threads import in_thread
from clients.database import academy
from clients.keys import Sealer
from contracts.errors import NOTHING_TO_EXPORT
from rules.quiet_hours import KST


@dataclass(frozen=True, repr=False)
class Shift:
    """One stretch of work of one person."""

    staff_id: int
    name: str
    began_at: datetime
    ended_at: datetime
    break_minutes: int

    @property
    def minutes(self) -> int:
        """Worked, whole minutes; never below zero, however long the break."""
        return max(0, int((self.ended_at - self.began_at).total_seconds()) // 60 - self.break_minutes)


def staff_workbook(rows: Sequence[Shift], path: Path) -> None:
    """Write `rows` by name and time, times as in Korea; two of the same name stay two."""
    ordered = sorted(rows, key=lambda row: (row.name, row.staff_id, row.began_at))
    with Book(path) as book:
        worked = [("근무시간(분)", 13.0), ("근무시간", 12.0)]
        sums = book.sheet("합계", [("이름", 12.0), ("근무일수", 10.0), *worked], frozen=1)
        for (name, _), group in groupby(ordered, key=lambda row: (row.name, row.staff_id)):
            shifts = list(group)
            days = {shift.began_at.astimezone(KST).date() for shift in shifts}
            total = sum(shift.minutes for shift in shifts)
            sums.write([name, len(days), total, _hours(total)])
        stretch = [("이름", 12.0), ("날짜", 12.0), ("출근", 8.0), ("퇴근", 12.0), ("휴게(분)", 9.0)]
        table = book.sheet("근무 기록", [*stretch, *worked], frozen=1)
        for row in ordered:
            began, ended = row.began_at.astimezone(KST), row.ended_at.astimezone(KST)
            until = f"{ended:%H:%M}" if ended.date() == began.date() else f"{ended:%m-%d %H:%M}"
            when = (began.date(), f"{began:%H:%M}", until)
            table.write([row.name, *when, row.break_minutes, row.minutes, _hours(row.minutes)])


async def export_staff(
    connection: AsyncConnection, sealer: Sealer, *, tenant_id: int, year: int, month: int, path: Path
) -> dict[str, int]:
    """Write what began in a month of Korean time; returns how many stretches. Raises
    BadInput(NOTHING_TO_EXPORT), KeyDestroyed."""
    start = datetime(year, month, 1, tzinfo=KST)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=KST)
    found = await academy.staff_hours(connection, tenant_id, start, end)
    if not found:
        raise BadInput(NOTHING_TO_EXPORT)

    def write() -> None:
        rows = [
            Shift(row.id, open_staff_name(sealer, row), row.began_at, row.ended_at, row.break_minutes)
            for row in found
        ]
        staff_workbook(rows, path)

    await in_thread(write)
    return {"stretches": len(found)}


def _hours(minutes: int) -> str:
    return f"{minutes // 60}시간 {minutes % 60}분"

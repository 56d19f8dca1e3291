"""What messages cost, for a page, a program or a workbook: the same question."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from xlsxwriter import Workbook

from api.services import Services
from clients.database import costs
from clients.database.costs import CostRow
from rules import months
from rules.messaging.approval import PERSON, is_person

MOST_MONTHS = 12  # the log is kept for a year
_HEAD = ("월", "반", "종류", "보낸 사람", "보낸 수", "실패", "금액(원)")
_WORDS = 4  # columns of words; numbers follow
_KINDS = {"ATA": "알림톡", "EML": "이메일"}


async def of_months(services: Services, tenant: int, count: int) -> list[CostRow]:
    """This month and those before it, the newest first."""
    begin = months.month_of(datetime.now(UTC))
    since, until = months.before(begin, count - 1), months.after(begin)
    async with services.engine.connect() as connection:
        return await costs.between(connection, tenant, since, until)


def sender_of(row: CostRow, system: str) -> str:
    """Who sent it, for people: a name, or that no person did."""
    return row.asked_by.removeprefix(PERSON) if row.asked_by and is_person(row.asked_by) else system


def class_of(row: CostRow, ko: bool = True) -> str:
    """Whom it was written to, for people."""
    match row.sent_to:
        case "class":
            return row.class_title or (f"반 {row.class_id}" if ko else f"Class {row.class_id}")
        case "classes":
            return "여러 반" if ko else "Several classes"
        case "digest":
            return "알림 묶음" if ko else "Notices in one text"
        case "people":
            return "반 없음" if ko else "No class"
        case "unknown":
            return "기록 없음" if ko else "Not noted"


def by_class(rows: Sequence[CostRow]) -> list[tuple[CostRow, Decimal]]:
    """Of one month's rows, as they are sorted: a row of each class, and what went to it altogether."""
    parts = [list(some) for _, some in groupby(rows, lambda row: (row.sent_to, row.class_id))]
    return [(some[0], sum((row.won for row in some), Decimal())) for some in parts]


def workbook(rows: Sequence[CostRow]) -> bytes:
    """A line for each, and their sum. A name that begins with `=` is no formula."""
    file = io.BytesIO()
    with Workbook(file, {"constant_memory": True, "strings_to_formulas": False}) as book:
        sheet, bold = book.add_worksheet("요금"), book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(_HEAD) - 1, 16)
        for column, name in enumerate(_HEAD):
            sheet.write_string(0, column, name, bold)
        for line, row in enumerate(rows, 1):
            kind, sender = _KINDS.get(row.channel, row.channel), sender_of(row, "연동 시스템")
            texts = (f"{row.month:%Y-%m}", class_of(row), kind, sender)
            for column, text in enumerate(texts):
                sheet.write_string(line, column, text)
            for column, number in enumerate(_numbers(row), _WORDS):
                sheet.write_number(line, column, number)
        sheet.write_string(len(rows) + 1, 0, "합계", bold)
        for column in range(3):
            total = sum(_numbers(row)[column] for row in rows)
            sheet.write_number(len(rows) + 1, column + _WORDS, total, bold)
    return file.getvalue()


def _numbers(row: CostRow) -> tuple[float, float, float]:
    return float(row.messages), float(row.failed), float(row.won)

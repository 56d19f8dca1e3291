"""Workbooks for people who go on with them in Excel."""

import io
from collections.abc import Sequence

from xlsxwriter import Workbook

from api.problems import message_of
from clients.database.messaging import RecipientRow
from contracts.messaging import Channel
from rules.quiet_hours import KST

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEAD = ("번호", "아이디", "전화", "종류", "상태", "코드", "사유", "시각")
_STATES = {
    "PENDING": "대기",
    "ACCEPTED": "접수",
    "DELIVERED": "전달",
    "FAILED": "실패",
    "REFUSED": "접수 거절",
    "UNCONFIRMED": "결과 없음",
    "SUPPRESSED": "보내지 않음",
    "CANCELLED": "취소",
}
_TAKEN = "메일 서버로 보냄"  # nobody reports what became of it there
_KINDS: dict[str, str] = {Channel.EML: "이메일"}


def recipients(rows: Sequence[RecipientRow]) -> bytes:
    """Each recipient's end, as text: an id that begins with `=` is no formula. Times are Korea's."""
    file = io.BytesIO()
    with Workbook(file, {"constant_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("결과")
        sheet.freeze_panes(1, 0)
        sheet.set_column(1, 7, 16)
        for column, name in enumerate(_HEAD):
            sheet.write_string(0, column, name, book.add_format({"bold": True}))
        for line, row in enumerate(rows, 1):
            at = row.final_at.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S") if row.final_at else ""
            sheet.write_number(line, 0, row.position + 1)
            kind = row.sent_as or row.channel
            state = _TAKEN if kind == Channel.EML and row.state == "UNCONFIRMED" else _STATES[row.state]
            texts = (row.recipient_id, row.masked_phone, _KINDS.get(kind, kind), state)
            for column, text in enumerate((*texts, row.code or "", message_of(row.code) or "", at), 1):
                sheet.write_string(line, column, text)
    return file.getvalue()

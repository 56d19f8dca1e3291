"""What becomes of a message: decided by the recipient's number alone, so that a test knows it beforehand.

Numbers `010 4040 Knnn` have a fate by the digit K; nnn is free, so each fate has a thousand recipients.

1  nothing arrives: no KakaoTalk (3104), and SMS fails at the carrier (3042)
2  no KakaoTalk (3104): an Alimtalk falls back to SMS or LMS
3  opted out: refused at registration (1061)
4  sent, and no report ever comes
5  the report comes late
6  blocked the channel (3107): an Alimtalk falls back
7  opted out, noticed only after sending (2061)

Every other number is delivered. The page shows the same table.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

PREFIX = "0104040"

ACCEPTED, AT_CARRIER, DELIVERED = "2000", "3000", "4000"

PRICES = {"SMS": 18, "LMS": 45, "MMS": 110, "ATA": 13}  # won

# All that Solapi counts by type. Those without a price are not carried here.
TYPES = (*PRICES, "CTA", "CTI", "NSA", "RCS_SMS", "RCS_LMS", "RCS_MMS", "RCS_TPL", "RCS_ITPL", "RCS_LTPL")
TYPES += ("FAX", "VOICE", "BMS_TEXT", "BMS_IMAGE", "BMS_WIDE", "BMS_WIDE_ITEM_LIST", "BMS_CAROUSEL_FEED")
TYPES += ("BMS_PREMIUM_VIDEO", "BMS_COMMERCE", "BMS_CAROUSEL_COMMERCE", "BMS_FREE")

# 1010, 1021 and 3042 are this simulator's choice; the others are Solapi's.
MEANINGS = {
    "1010": "필수 입력 값이 없습니다.",
    "1021": "수신번호 형식이 올바르지 않습니다.",
    "1026": "중복된 수신번호입니다.",
    "1029": "지원하지 않는 문자가 포함되어 있습니다.",
    "1031": "메시지 길이를 초과했습니다.",
    "1043": "템플릿이 일치하지 않습니다.",
    "1061": "080 수신거부된 번호입니다.",
    "1062": "등록되지 않은 발신번호입니다.",
    ACCEPTED: "정상 접수(이통사로 접수 예정)",
    "2061": "080 수신거부된 번호입니다.",
    "2230": "잔액이 부족합니다.",
    AT_CARRIER: "이통사로 접수됨",
    "3042": "단말기 음영지역",
    "3103": "알림톡 템플릿 불일치",
    "3104": "카카오톡을 사용하지 않는 사용자",
    "3107": "채널을 차단한 사용자",
    DELIVERED: "수신 완료",
}


@dataclass(frozen=True)
class Fate:
    about: str
    refused: str | None = None  # code at registration
    kakao: str = DELIVERED  # how an Alimtalk ends, before any fallback
    text: str = DELIVERED  # how an SMS, LMS or MMS ends
    report: Literal["soon", "late", "never"] = "soon"


ORDINARY = Fate("수신")

FATES = {
    "1": Fate("알림톡(3104)도 문자(3042)도 받지 못함", None, "3104", "3042"),
    "2": Fate("카카오톡 미사용(3104): 문자로 대체발송", kakao="3104"),
    "3": Fate("수신거부: 접수 거절(1061)", refused="1061"),
    "4": Fate("발송되지만 결과가 오지 않음", report="never"),
    "5": Fate("결과가 늦게 옴", report="late"),
    "6": Fate("채널 차단(3107): 문자로 대체발송", kakao="3107"),
    "7": Fate("수신거부: 발송 후 확인됨(2061)", kakao="2061", text="2061"),
}

LEGEND = {f"010-4040-{digit}···": fate.about for digit, fate in FATES.items()}


def fate(to: str) -> Fate:
    return FATES.get(to[7:8], ORDINARY) if to.startswith(PREFIX) else ORDINARY


class Step(NamedTuple):
    """From `after` seconds behind the start on, a message has this code."""

    after: float
    code: str
    type: str
    replacement: bool = False


@cache
def journey(
    fate: Fate, type: str, fallback: str | None, template_fits: bool, soon: float, late: float
) -> tuple[Step, ...]:
    """All that a sent message goes through."""
    start = Step(0, AT_CARRIER, type)
    if fate.report == "never":
        return (start,)
    end = late if fate.report == "late" else soon
    if type != "ATA":
        return start, Step(end, fate.text, type)
    kakao = fate.kakao if template_fits else "3103"
    if kakao == DELIVERED or fallback is None:
        return start, Step(end, kakao, type)
    return start, Step(end / 2, AT_CARRIER, fallback, True), Step(end, fate.text, fallback, True)

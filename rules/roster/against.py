"""What a roster says against taking one of its rows: that the student has left, that it is an example, or
somebody else's. Pure."""

import re
from collections.abc import Iterable

from contracts.errors import ROSTER_ROW_EXAMPLE, ROSTER_ROW_MISPLACED, ROSTER_STUDENT_LEFT
from rules.roster.columns import STRANGERS

_LEFT = r"(?:퇴원|휴원|퇴소|퇴회|탈퇴|탈원|퇴학|자퇴|제적|수강 ?(?:중단|종료|취소)|등록 ?취소|미등록)"
_WAITING = r"(?:대기|대기자|대기 ?중|신청 ?취소|취소|환불|삭제)"
_LEFT_CELL = re.compile(
    rf"\W*{_LEFT}(?:생|자|함|됨|예정|처리|\W).*|\W*{_LEFT}|\W*(?:{_WAITING})\W*", re.DOTALL
)
_LEFT_DAY = re.compile(
    r"(?:퇴원|휴원|퇴소|퇴회|탈퇴|탈원|퇴학|자퇴|수강 ?종료)(?:한|된)? ?(?:일|일자|날짜|예정일|사유)"
)
_LEFT_TITLE = re.compile(rf"(?:{_LEFT}|대기)(?:생|자|원생|학생)?")
_TITLE = re.compile("명단|명부|현황|재원|반$|학년$|부$")
_HERE = re.compile("재원|재학|등원|포함|제외")
_EXAMPLE = re.compile(
    r"\W*(?:예|예시|작성 ?예(?:시)?|입력 ?예(?:시)?|보기|샘플|견본|example|sample|ex)\W*", re.IGNORECASE
)
_STAFF = re.compile(r"강사|교사|선생님?|직원|원장|부원장|실장|조교|staff|teacher", re.IGNORECASE)
_STUDENTS = frozenset(("학생", "본인", "자녀", "원생", "아동", "student"))
_PARENTS = frozenset(
    (
        "모",
        "부",
        "모친",
        "부친",
        "어머니",
        "아버지",
        "엄마",
        "아빠",
        "학부모",
        "보호자",
        "부모",
        "조부",
        "조모",
    )
)
_BLANK = frozenset(("", "-", "–", "없음", "x", "X", "해당없음", "0"))
# What none of the patterns is without: most columns have none of it, which one look tells.
_HINTS = re.compile(
    "[퇴휴탈제수등미대신취환삭자예작입보샘견강교선직원부실조모어아엄]|ex|samp|staff|teach", re.IGNORECASE
)


def is_day_of_leaving(label: str) -> bool:
    """Whether a column tells when somebody has left."""
    return bool(_LEFT_DAY.search(label))


def is_title_of_others(written: str) -> bool:
    """Whether below such a title, or on a sheet of this name, stand those who have left or wait."""
    return len(written) <= 40 and bool(_LEFT_TITLE.search(written)) and not _HERE.search(written)


def is_title(written: str) -> bool:
    """Whether a text that stands alone begins another part of a roster."""
    return bool(_TITLE.search(written))


def column_says(label: str, cells: Iterable[str]) -> dict[str, str]:
    """The contents of a column that say something against their rows, with the code. `label` stands over
    it."""
    distinct = set(cells)
    if is_day_of_leaving(label):
        return dict.fromkeys(distinct - _BLANK, ROSTER_STUDENT_LEFT)
    mixed = not distinct.isdisjoint(_STUDENTS) and not distinct.isdisjoint(_PARENTS)
    found: dict[str, str] = {}
    for written in distinct:
        if len(written) > 100 or not _HINTS.search(written[:20]):
            continue
        if _LEFT_CELL.fullmatch(written):
            found[written] = ROSTER_STUDENT_LEFT
        elif _EXAMPLE.fullmatch(written):
            found[written] = ROSTER_ROW_EXAMPLE
        elif (_STAFF.fullmatch(written) and not STRANGERS.search(label)) or (mixed and written in _PARENTS):
            found[written] = ROSTER_ROW_MISPLACED
    return found

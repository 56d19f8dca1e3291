"""What a roster says against taking one of its rows: that the student has left, that it is an example, or
somebody else's. Pure."""

import re
from collections import Counter
from collections.abc import Iterable

from contracts.errors import ROSTER_ROW_EXAMPLE, ROSTER_ROW_MISPLACED, ROSTER_STUDENT_LEFT
from rules.roster.columns import STRANGERS

_LEFT = r"(?:퇴원|휴원|퇴소|퇴회|탈퇴|탈원|퇴학|자퇴|제적|수강 ?(?:중단|종료|취소)|등록 ?취소|미등록)"
_WAITING = r"(?:대기|대기자|대기 ?중|신청 ?취소|취소|환불|삭제)"
_LEFT_CELL = re.compile(
    rf"\W*{_LEFT}(?:생|자|함|됨|중|예정|처리|\W).*|\W*{_LEFT}|\W*(?:{_WAITING})\W*", re.DOTALL
)
# Alone, or with a day: 한빛초 졸업 is where somebody was before.
_GONE_CELL = re.compile(
    r"[\d\W년월일]*(?:졸업|전출|전학|종강|중퇴|수강 ?종료|그만 ?둠)(?:생|자|함|됨|처리|예정)?"
    r"[\d\W년월일부터]*"
)
_OF_A_SCHOOL = re.compile("학교|졸업|학력|출신|전학")
_LEFT_DAY = re.compile(
    r"(?:퇴원|휴원|퇴소|퇴회|탈퇴|탈원|퇴학|자퇴|수강 ?종료)(?:한|된)? ?(?:일(?!수)|날짜|예정일|사유)"
)
# Not 박대기, 대기초, 대기고.
_LEFT_TITLE = re.compile(
    rf"{_LEFT}(?:생|자|원생|학생)?|(?<!^[가-힣])대기(?!실|초|중학|고(?:등|교|$))(?:자|원생|학생)?"
)
# What tells everybody something, and is over no list: 8월 1일~5일 휴원 안내.
_ANNOUNCED = re.compile("안내|공지|규정|규칙|문의|문자|요망|바랍|니다|세요|마감|기간|시에?는? |[퇴휴]원일")
_TITLE = re.compile("명단|명부|현황|재원|반$|학년$|부$")
_HERE = re.compile("재원|재학|등원|포함|제외")
_EXAMPLE = re.compile(
    r"\W*(?:예|예시|작성 ?예(?:시)?|입력 ?예(?:시)?|보기|샘플|견본|example|sample|ex)\W*", re.IGNORECASE
)
_STAFF = re.compile(r"강사|교사|선생님?|직원|원장|부원장|실장|조교|staff|teacher", re.IGNORECASE)
_STUDENTS = frozenset(("학생", "본인", "자녀", "원생", "아동", "student"))
# Somebody else, who came back, or whom it does not hold for: 퇴원생 동생, 휴원 없음, 퇴원 후 재등록.
_STAYS = re.compile(
    r"\W*[퇴휴탈][원퇴소회](?:생|자|한|했던)?의? ?(?:학생)?의? ?(?:동생|형|누나|언니|오빠|자매|남매).*"
    r"|.*(?:없음|없다|안 ?함|아님)\W*"
    r"|.*(?:후|했다가|→|->) ?(?:재등록|재입학|재입원|복귀|복원|복학)"
    r"(?!.*(?:예정|안|불|않|없|거부|미정|\?)).*",
    re.DOTALL,
)
# Columns of something that a student has or does, and of who deals with them.
_OF_A_THING = re.compile(
    "카드|앱|어플|지문|차량|셔틀|버스|알림|알리미|문자|카톡|채널|영수증|급식|교재|사물함|결석|보강|상담|특강|시험|방학"
    "|app|bus|card",
    re.IGNORECASE,
)
_OF_A_RELATIVE = re.compile("형제|자매|남매|동생")
_NOT_DONE = re.compile(rf"\W*(?:미등록|등록 ?취소|탈퇴|{_WAITING})\W*")  # with a thing, or with the academy
_OF_WORK = re.compile(
    "직업|직장|희망|진로|장래|꿈|상담|작성|접수|확인|처리|입력|등록자|소개|수업|지도|경로|job", re.IGNORECASE
)
_OF_A_CALL = re.compile("보호자|학부모|비상|연락|상담|결제|납부|응답|회신|작성|신청인")
_ASKED = re.compile(
    "동의|여부|수신|이용|신청|희망|참여|참석|가입|제출|납부|알림|필요|여/부|y/n", re.IGNORECASE
)
_NOES = frozenset(("아니오", "아니요", "아뇨", "아니", "네", "no", "No", "NO"))
_NO_DAY = re.compile(
    r"\W*|[xn]|null|none|nan|없음|해당 ?없음|재원(?:중|생)?|현재|미정|0+|0000\W00\W00.*|9999\W12\W31.*",
    re.IGNORECASE,
)
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
_MIXED = _PARENTS | {"본인"}  # whose row is doubted where others' rows are students'
_RELATION = re.compile(r"\W*(?:보호자|학부모|가족|학생과의?)? ?관계\W*")
# What none of the patterns is without: most columns have none of it, which one look tells.
_HINTS = re.compile(
    "[퇴휴탈제수등미대신취환삭자예작입보샘견강교선직원부실조모어아엄졸전종중그본]|ex|samp|staff|teach",
    re.IGNORECASE,
)


def is_day_of_leaving(label: str) -> bool:
    """Whether a column tells when somebody has left."""
    return bool(_LEFT_DAY.search(label))


def is_relation(label: str) -> bool:
    """Whether a column tells whose the parent's number is."""
    return bool(_RELATION.fullmatch(label))


def is_parent(written: str) -> bool:
    return written in _PARENTS


def is_title_of_others(written: str) -> bool:
    """Whether below such a title, or on a sheet of this name, stand those who have left or wait."""
    if len(written) > 40 or not _LEFT_TITLE.search(written) or _HERE.search(written):
        return False
    return bool(_TITLE.search(written)) or not _ANNOUNCED.search(f"{written} ")


def is_title(written: str) -> bool:
    """Whether a text that stands alone begins another part of a roster."""
    return bool(_TITLE.search(written))


def column_says(label: str, cells: Iterable[str]) -> dict[str, str]:
    """The contents of a column that say something against their rows, with the code. `label` stands over
    it."""
    counted = Counter(cells)
    if is_day_of_leaving(label):
        return {each: ROSTER_STUDENT_LEFT for each in counted if not _NO_DAY.fullmatch(each)}
    mixed = not _STUDENTS.isdisjoint(counted) and not _PARENTS.isdisjoint(counted)
    of_a_call, of_work = _OF_A_CALL.search(label), STRANGERS.search(label) or _OF_WORK.search(label)
    answered = bool(_ASKED.search(label)) or not _NOES.isdisjoint(counted)
    found: dict[str, str] = {}
    for written, times in counted.items():
        if len(written) > 100 or not _HINTS.search(written[:20]):
            continue
        if _LEFT_CELL.fullmatch(written):
            of_a_thing = _OF_A_THING.search(label) and _NOT_DONE.fullmatch(written)
            if not (_STAYS.fullmatch(written) or _OF_A_RELATIVE.search(label) or of_a_thing):
                found[written] = ROSTER_STUDENT_LEFT
        elif _GONE_CELL.fullmatch(written) and not _OF_A_SCHOOL.search(label):
            found[written] = ROSTER_STUDENT_LEFT
        elif _EXAMPLE.fullmatch(written):
            if not (written == "예" and (answered or times > 2)):  # yes
                found[written] = ROSTER_ROW_EXAMPLE
        elif (_STAFF.fullmatch(written) and not of_work) or (mixed and written in _MIXED and not of_a_call):
            found[written] = ROSTER_ROW_MISPLACED
    return found

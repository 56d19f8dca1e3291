"""Signs that a text is not what its column says: of another column, of two people, or not as it was written.
Pure."""

import re

# Letters that nobody sees, which Python takes for letters or marks: fillers of Hangul, joiners, variants.
FILLERS = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\ufe00-\ufe0f\uffa0]")

_DITTO = frozenset(
    ("〃", "″", '"', "''", "``", "상동", "위와같음", "위와동일", "위동일", "동일", "same", "ditto")
)
_WORD = "[가-힣]{2,5}"
_TWO_HANGUL = re.compile(
    rf"[가-힣]{{3,5}} +[가-힣]{{3,5}}"  # 김하나 김두리; 남궁 하나 and 김 하나 are one
    rf"|{_WORD} *[·ㆍ・‧•~∼〜、，；／＆＋] *{_WORD}.*"
    rf"|{_WORD}(?:[와과]|이랑|하고)? +(?:및|와|과|그리고|and) +{_WORD}.*|{_WORD}[와과] +{_WORD}"
)
_RELATIVE = re.compile(r"[(\[].*(?:동생|형|누나|언니|오빠|형제|자매|남매|쌍둥이|쌍생아)")
_NOBODY = re.compile(
    "문의(처|전화)?|담당자?|담임(선생님)?|원장님?|사무실|상담실|교무실|행정실|대표(번호|전화)|안내|비고|주의|참고|작성자|확인자|결재"
)
_SCHOOL = re.compile(r"(?!예비)[가-힣]{2,}(?:초|중|고)|.*학교")
_STAGES = frozenset(("초등", "중등", "고등", "예비초", "예비중", "예비고"))
_GRADE = re.compile(r"[초중고]?(?:등)?\s*\d{1,2}\s*(?:학년)?|\d{1,2}\s*[-–]\s*\d{1,2}", re.ASCII)
_CLASS = re.compile(r"\d{1,2}\s*반|[A-Za-z]반", re.ASCII)
# Names with letters of Hangul: words of them, Latin ones beside (김 Anna), and what tells two of a name apart
# (김하나A, 김하나 2, 김하나(B)).
_HANGUL_NAME = re.compile(
    r"(?:[가-힣]+(?: [가-힣]+)*(?: ?[A-Za-z]{2,}(?: [A-Za-z]+)*)?|[A-Za-z]{2,}(?: [A-Za-z]+)* ?[가-힣]+)"
    r"(?: ?(?:[A-Za-z]|\d{1,3})| ?\((?:[A-Za-z]|\d{1,2}|[A-Za-z ]{3,})\))?",
    re.ASCII,
)
_MASKED = re.compile(r"[가-힣](?:[OoXx]+|[○◯●ㅇ*＊×]+)[가-힣]?|[가-힣] ?(?:OO|XX|oo|xx)")
_SOMEBODYS = "어머니|어머님|아버지|아버님|엄마|아빠|할머니|할아버지|보호자|학부모|선생님|선생|강사|원장"
_TITLED = re.compile(
    rf"[가-힣]{{2,}} ?(?:{_SOMEBODYS}|학생|어린이|원생)|[가-힣]{{3,}}(?:맘|님|쌤)"
    rf"|[가-힣]{{2,}} (?:군|양|님|씨|맘|모|부|모친|부친|샘|쌤|[초중고]\d)|[가-힣]{{2,}} ?T"
    rf"|(?:{_SOMEBODYS}) ?[가-힣]{{2,}}"
)
_FAMILY = "[김이박최정강조윤장임한오서신권황안송류유전홍고문양손배백허남심노]"
_JOINED = re.compile(rf"{_FAMILY}[가-힣]{{2}}{_FAMILY}[가-힣]{{2}}")  # two cells, or lines, made one
# How a number of fewer than three parts comes back from a spreadsheet that took it for a day: 3-1, 2/3.
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MADE_DAY = re.compile(
    rf"\d{{1,2}}월(?: ?\d{{1,2}}일)?|\d{{1,2}}[-/ ](?:{_MONTHS})|(?:{_MONTHS})[-/ ]\d{{1,4}}"
    r"|\d{4}[-./]\d{1,2}[-./]\d{1,2}.*|\d{5}",
    re.IGNORECASE | re.ASCII,
)
_NOBODYS_NUMBER = re.compile(r"010(\d)\1{7}", re.ASCII)


def is_ditto(written: str) -> bool:
    """Whether it says "as above", which no program may take for a value."""
    return len(written) <= 5 and written.replace(" ", "").casefold() in _DITTO


def is_two_names(written: str) -> bool:
    return bool(_TWO_HANGUL.fullmatch(written) or _RELATIVE.search(written))


def is_nobody(written: str) -> bool:
    """Whether it is what stands before a telephone number below a table."""
    return bool(_NOBODY.fullmatch(written.replace(" ", "").strip(".:※*()[]")))


def is_garbled(written: str) -> bool:
    """Whether it is UTF-8 that was read as something else."""
    if any("\x80" <= letter <= "\x9f" for letter in written):
        return True
    for encoding in ("latin-1", "cp1252", "cp949"):
        try:
            meant = written.encode(encoding).decode()
        except UnicodeError:
            continue
        if any("가" <= letter <= "힣" for letter in meant) and meant != written:
            return True
    return False


def is_school(written: str) -> bool:
    """Whether a grade is a school's name: 새론중, and not 중3 or 중등."""
    bare = written.replace(" ", "")
    return bool(_SCHOOL.fullmatch(bare)) and bare not in _STAGES


def is_grade(written: str) -> bool:
    """Whether a school is a grade: 2, 2학년, 중2, 3-1."""
    return bool(_GRADE.fullmatch(written))


def is_class(written: str) -> bool:
    """Whether a grade is a class: 3반."""
    return bool(_CLASS.fullmatch(written))


def is_more_than_a_name(written: str) -> bool:
    """Whether a name with letters of Hangul has something else beside it, or is not all there: 2. 김하나,
    김하나(퇴원), 김하나 어머니, 이름: 김하나, 김*나, 김하ㄴ, 김하나이두리."""
    if not any("가" <= letter <= "힣" for letter in written):
        return False
    return bool(
        not _HANGUL_NAME.fullmatch(written)
        or _MASKED.fullmatch(written)
        or _TITLED.fullmatch(written)
        or _JOINED.fullmatch(written)
    )


def is_made_day(written: str) -> bool:
    """Whether a grade or class is a day, which a spreadsheet made of it."""
    return bool(_MADE_DAY.fullmatch(written))


def is_nobodys_number(number: str) -> bool:
    """Whether a mobile number is one that people write where they know none: 010-0000-0000."""
    return bool(_NOBODYS_NUMBER.fullmatch(number))

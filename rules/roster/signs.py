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

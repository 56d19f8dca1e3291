"""What students, classes and sessions take and answer."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas_uploads import Composed
from contracts.base import Outside
from rules.viewing import AccessMode

AT_ONCE = 1_000
Number = Annotated[int, Field(gt=0, lt=2**63)]
_ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
Title = Annotated[str, Composed, Field(min_length=1, max_length=100, pattern=_ONE_LINE)]
Text = Annotated[str | None, Field(max_length=2_000)]


class AttendanceStatus(StrEnum):
    """How somebody was there. ONLINE watches the session's lecture as PROCTORED_CLASS."""

    PRESENT = "PRESENT"
    ONLINE = "ONLINE"
    LATE = "LATE"
    LEFT_EARLY = "LEFT_EARLY"
    EXCUSED = "EXCUSED"
    ABSENT = "ABSENT"


class _Private(Outside):
    """Of a person: no field of it is printed."""

    model_config = ConfigDict(extra="forbid")

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []


class StudentChange(_Private):
    """What changes of a student; `null` or a blank takes a value away. Each is read as a roster's cell is:
    phones in any writing of a Korean mobile number, days as 2011-03-05, gender as 남, 여, M or F."""

    name: Text = None
    parent_phone: Text = None
    other_parent_phone: Text = None
    parent_name: Text = None
    student_phone: Text = None
    school: Text = None
    grade: Text = None
    class_name: Text = Field(default=None, description="As the academy writes it; classes have ids")
    gender: Text = None
    birth_date: Text = None
    enrolled_on: Text = None
    address: Text = None
    memo: Text = None


class StudentWanted(StudentChange):
    """A new student. Name and parent's phone say who it is."""

    name: Annotated[str, Field(max_length=2_000)]
    parent_phone: Annotated[str, Field(max_length=2_000)]


class StudentOptOut(Outside):
    """Which of the student's phones takes no advertising any more."""

    model_config = ConfigDict(extra="forbid")

    phone: Literal["parent_phone", "other_parent_phone", "student_phone"]


class OptedOut(BaseModel):
    """The phone, masked."""

    phone: str


class StudentMade(BaseModel):
    student_id: int


class StudentListed(BaseModel):
    """Phones are masked. `left_at`: since when the student is not at the academy any more."""

    student_id: int
    name: str
    school: str | None
    grade: str | None
    class_name: str | None
    parent_phone: str
    student_phone: str | None
    left_at: datetime | None


class StudentPage(BaseModel):
    """`total`: how many students there are of those that were asked for."""

    items: list[StudentListed]
    total: int
    next_cursor: str | None


class ClassShown(BaseModel):
    """`title` is null of a class that only a roster has named (its `lecture_id`)."""

    class_id: int
    title: str | None
    students: int


class StudentShown(BaseModel):
    """All that is known of a student, phones too."""

    student_id: int
    name: str
    parent_phone: str
    other_parent_phone: str | None = None
    parent_name: str | None = None
    student_phone: str | None = None
    school: str | None = None
    grade: str | None = None
    class_name: str | None = None
    gender: Literal["M", "F"] | None = None
    birth_date: str | None = None
    enrolled_on: str | None = None
    address: str | None = None
    memo: str | None = None
    classes: list[int] = Field(description="Ids of the classes that the student is in")
    left_at: datetime | None
    created_at: datetime
    updated_at: datetime


class LectureShown(BaseModel):
    """A lecture of a student's sessions, or one that was watched. Times in seconds; `progress` is the part
    watched, 0 to 1."""

    video_id: int
    title: str | None
    status: str
    duration: float | None
    session_id: int | None
    day: date | None
    enrolled: bool
    attendance: str | None
    access_mode: AccessMode | None
    blocked: bool
    progress: float
    furthest: float
    completed: bool
    watched_at: datetime | None


class LecturesShown(BaseModel):
    items: list[LectureShown]


class ClassWanted(Outside):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    title: Title


class ClassMade(BaseModel):
    class_id: int


class ClassPage(BaseModel):
    items: list[ClassShown]
    next_cursor: str | None


class StudentsNamed(Outside):
    model_config = ConfigDict(extra="forbid")

    student_ids: list[Number] = Field(min_length=1, max_length=AT_ONCE)


class Added(BaseModel):
    """How many were not in it yet."""

    added: int


class SessionWanted(Outside):
    """One meeting of a class."""

    model_config = ConfigDict(extra="forbid")

    class_id: Number
    day: date = Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))


class SessionShown(BaseModel):
    session_id: int
    class_id: int
    day: date
    students: int


class SessionPage(BaseModel):
    items: list[SessionShown]
    next_cursor: str | None


class Attended(Outside):
    model_config = ConfigDict(extra="forbid")

    student_id: Number
    status: AttendanceStatus
    seen: AttendanceStatus | None = Field(
        default=None,
        description="What was noted as you looked, null for nothing. Without it anything is written over",
    )


class AttendanceNoted(Outside):
    """Each student once; who is not named keeps what was noted. With `seen` nobody else's note is lost."""

    model_config = ConfigDict(extra="forbid")

    attendance: list[Attended] = Field(min_length=1, max_length=AT_ONCE)


class AttendedShown(BaseModel):
    """`status` is null where nothing was noted."""

    student_id: int
    status: str | None


class AttendanceShown(BaseModel):
    """Everybody who is enrolled in the session, or was there."""

    items: list[AttendedShown]


class AccessWanted(Outside):
    """What staff decide for one student and lecture. `access_mode` overrides everything, null decides
    nothing; `blocked` holds where there is no `access_mode`."""

    model_config = ConfigDict(extra="forbid")

    access_mode: AccessMode | None
    blocked: bool = False

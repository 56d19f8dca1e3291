"""Tables of the viewing policy: which session a lecture belongs to, who may watch it, who is watching."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Identity, Index, Integer, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base


def _student() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"])


def _video() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", "video_id"], ["videos.tenant_id", "videos.id"])


class LectureSession(Base):
    """One meeting of a lecture, by the academy's own id; `attendance` of that lecture and day is its own."""

    __tablename__ = "lecture_sessions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lecture_id: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date]


class SessionEnrolment(Base):
    """A student who is enrolled in a session."""

    __tablename__ = "session_enrolments"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    session_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    student_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    __table_args__ = (
        _student(),
        ForeignKeyConstraint(
            ["tenant_id", "session_id"], ["lecture_sessions.tenant_id", "lecture_sessions.id"]
        ),
    )


class VideoAccess(Base):
    """What staff decided for one student. `access_mode`: an overriding permission. `version` goes up with
    every change; rows stay."""

    __tablename__ = "video_access"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    video_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    student_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    access_mode: Mapped[str | None] = mapped_column(String(16))
    blocked: Mapped[bool] = mapped_column(server_default=text("false"))
    version: Mapped[int] = mapped_column(Integer, server_default="1")

    __table_args__ = (_student(), _video())


class VideoProgress(Base):
    """How far a student has come. `furthest` and `slack` in seconds (`rules.viewing.Watched`), as of
    `beat_at`; `progress` is the largest part of the lecture ever reached, 0 to 1."""

    __tablename__ = "video_progress"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    video_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    student_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    furthest: Mapped[float] = mapped_column(server_default="0")
    slack: Mapped[float] = mapped_column(server_default="3")
    beat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    progress: Mapped[float] = mapped_column(server_default="0")
    proctored_completed_at: Mapped[datetime | None]

    __table_args__ = (_student(), _video())


class PlaybackSession(Base):
    """Somebody watching one version of a lecture; without a student it is staff. Its links work until
    `expires_at`, which moves with every refresh, while `policy_version` is the policy's."""

    __tablename__ = "playback_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    video_id: Mapped[int] = mapped_column(BigInteger)
    student_id: Mapped[int | None] = mapped_column(BigInteger)
    hls_prefix: Mapped[str] = mapped_column(String(500))
    policy_version: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        _student(),
        _video(),
        Index(
            "uq_playback_sessions_student",
            "tenant_id",
            "student_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND student_id IS NOT NULL"),
        ),
    )


class PlaybackViolation(Base):
    """A rule of PROCTORED_CLASS that a player reported, or that a heartbeat showed, as broken.
    `position` in seconds of the lecture."""

    __tablename__ = "playback_violations"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    video_id: Mapped[int] = mapped_column(BigInteger)
    student_id: Mapped[int] = mapped_column(BigInteger)
    session_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(32))
    position: Mapped[float]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(["session_id"], ["playback_sessions.id"]),
        Index("ix_playback_violations_student", "tenant_id", "student_id", "video_id", "at"),
    )

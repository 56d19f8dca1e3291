"""Tables. Rows carry no behaviour; `jobs.py` and `videos.py` beside this file hold the queries."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.states import JobState


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        float: Double,
    }


def words(kind: type[StrEnum], length: int) -> Enum:
    """A text that is one of `kind`, and comes back as such. The database knows of a text only."""
    return Enum(kind, native_enum=False, length=length, values_callable=lambda kind: [*map(str, kind)])


class Tenant(Base):
    """`erasing_at`: from then on no new request is taken for it; `erased_at`: no row is written any more
    (`clients.database.erasing`, and a trigger of migration 0012)."""

    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    code: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erasing_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class ServiceKey(Base):
    """`prefix.secret` of a calling system; only the hash of the secret is kept, several may be active.
    `rights`: words between commas; None of one from before there were any, which has all."""

    __tablename__ = "service_keys"

    prefix: Mapped[str] = mapped_column(String(16), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    rights: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class Job(Base):
    """An accepted request and its final state.

    `seq` orders acceptances: of two encodes of one video the later accepted one wins. `epoch` fences
    zombies: every execution takes a higher one, and only the highest may publish. `sealed_payload` is
    gone once the job is final, or after a week where it could be asked for again (`kept_for_retry`).
    `restored_at`: the row was lost with the database, and written again by its workflow.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))
    job_type: Mapped[str] = mapped_column(String(64))
    idempotency_key: Mapped[str] = mapped_column(String(200))
    external_id: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str | None] = mapped_column(String(200))
    video_id: Mapped[int | None] = mapped_column(BigInteger)
    upload_id: Mapped[UUID | None]
    workflow_id: Mapped[str] = mapped_column(String(200), unique=True)
    payload_sha256: Mapped[str] = mapped_column(String(64))
    sealed_payload: Mapped[bytes | None]
    source: Mapped[str] = mapped_column(String(32))
    state: Mapped[JobState] = mapped_column(words(JobState, 32), server_default=JobState.PENDING)
    epoch: Mapped[int] = mapped_column(Integer, server_default="0")
    error_code: Mapped[str | None] = mapped_column(String(64))
    result: Mapped[dict[str, Any] | None]
    accepted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_jobs_wish",
            "tenant_id",
            "job_type",
            "idempotency_key",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "uq_jobs_open_subject",
            "tenant_id",
            "subject",
            unique=True,
            postgresql_where=text("finished_at IS NULL AND subject IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_jobs_external", "tenant_id", "external_id"),
        # Of open jobs as well the planner would take it for their subjects.
        Index("ix_jobs_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("ix_jobs_open", "checked_at", "accepted_at", postgresql_where=text("finished_at IS NULL")),
        Index("ix_jobs_tenant", "tenant_id", "seq"),
        Index("ix_jobs_video", "tenant_id", "video_id", postgresql_where=text("video_id IS NOT NULL")),
        Index("ix_jobs_tenant_state", "tenant_id", "state", "seq"),
        Index(
            "ix_jobs_kept_payload",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL AND sealed_payload IS NOT NULL"),
        ),
        Index(  # documents whose text can be searched
            "ix_jobs_documents",
            "finished_at",
            "tenant_id",
            "id",
            postgresql_where=text("job_type = 'ai.ocr' AND (result -> 'files' ->> 'text.txt') IS NOT NULL"),
        ),
    )


class JoinedRequest(Base):
    """A request that another job answers (`job_id`): one on the same subject that was open when it came, or
    a later attempt at the same. `id` is that of the job which it would have been."""

    __tablename__ = "joined_requests"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    idempotency_key: Mapped[str] = mapped_column(String(200))
    external_id: Mapped[str] = mapped_column(String(100))
    video_id: Mapped[int | None] = mapped_column(BigInteger)
    payload_sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index("ix_joined_requests_external", "tenant_id", "external_id"),
        Index("ix_joined_requests_video", "tenant_id", "video_id"),
    )


class Orphan(Base):
    """Objects that nobody owns, found by the daily sweep: how many bytes below `prefix`, and why."""

    __tablename__ = "orphans"

    prefix: Mapped[str] = mapped_column(String(500), primary_key=True)
    objects: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    why: Mapped[str] = mapped_column(String(64))
    found_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]


class JobEvent(Base):
    """The event log of a job: what happened when, in words an operator reads. No personal data."""

    __tablename__ = "job_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any] | None]

    __table_args__ = (Index("ix_job_events_job", "job_id", "id"),)


class Video(Base):
    """A lecture. `status` speaks of what viewers may play: a published version keeps it READY.

    `session_id` is the lecture session it belongs to; raising `policy_version` ends all who watch.
    `has_pictures`: the published version has a poster and a storyboard.
    `download_lines`: a rendition of at most so many lines may be downloaded; `download_key`: its file.
    """

    __tablename__ = "videos"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    title: Mapped[str | None] = mapped_column(String(200))
    file_key: Mapped[str] = mapped_column(String(500))
    status: Mapped[str] = mapped_column(String(16), server_default="UPLOADED")
    error_code: Mapped[str | None] = mapped_column(String(64))
    hls_path: Mapped[str | None] = mapped_column(String(500))
    hls_prefix: Mapped[str | None] = mapped_column(String(500))
    replaced_prefix: Mapped[str | None] = mapped_column(String(500))
    duration: Mapped[float | None]
    published_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    published_job: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    current_job: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    has_pictures: Mapped[bool] = mapped_column(server_default=text("false"))
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    policy_version: Mapped[int] = mapped_column(Integer, server_default="1")
    subtitles_key: Mapped[str | None] = mapped_column(String(500))
    chapters: Mapped[dict[str, Any] | None]
    download_lines: Mapped[int | None] = mapped_column(Integer)
    download_key: Mapped[str | None] = mapped_column(String(500))
    deleted_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Rendition(Base):
    """One rung of the published version, with measured rates in bit/s."""

    __tablename__ = "renditions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    video_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    codecs: Mapped[str] = mapped_column(String(64))
    bandwidth: Mapped[int] = mapped_column(BigInteger)
    average_bandwidth: Mapped[int] = mapped_column(BigInteger)
    segments: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)

"""Tables beside the register: what rosters and people have changed in it, and how rosters are to be read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Identity, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base


class StudentChange(Base):
    """A change of a known student, by a roster (`job_id`) or by somebody (`who`). `sealed`: the fields before
    and after, and where a roster says so. `before_job_id`: the roster that had written the student last."""

    __tablename__ = "student_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    student_id: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    job_id: Mapped[UUID | None]
    before_job_id: Mapped[UUID | None]
    who: Mapped[str | None] = mapped_column(String(200))
    sealed: Mapped[bytes]

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"]),
        Index("ix_student_changes_student", "student_id", "id"),
        Index("ix_student_changes_job", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    )


class RosterColumns(Base):
    """What the columns under a line of labels are, as somebody has said. `header_mac`: a blind index of the
    labels; they and the fields are sealed, for who knows what stands there."""

    __tablename__ = "roster_columns"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    header_mac: Mapped[bytes] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

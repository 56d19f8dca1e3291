"""Tables of an academy's people and classes. Names and phones are sealed with
the tenant's own key (`clients.keys`); blind indexes find a student without opening anything."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy import Sequence as Numbers
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base

# Of classes and sessions for which an academy brings no numbers of its own; as high as `video_ids`.
CLASS_IDS = Numbers("class_ids", start=1_000_000_000_000, metadata=Base.metadata)


class Student(Base):
    """`identity_mac`: name and parent's phone. `likeness_mac`: name and own phone, where it is known.
    `sealed`: what is known of the student, in JSON. `job_id`: the roster that wrote it last. Who
    `left_at` some time is in no class."""

    __tablename__ = "students"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    identity_mac: Mapped[bytes]
    likeness_mac: Mapped[bytes | None]
    sealed: Mapped[bytes]
    password_hash: Mapped[str | None] = mapped_column(String(200))
    job_id: Mapped[UUID | None]
    left_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # No index begins with the tenant: the planner would take it for as good as one by MAC, and it is not.
    # That of lists (`OF_TENANT`, migration 0020) begins with an expression, which only they ask for.
    __table_args__ = (
        UniqueConstraint("identity_mac", "tenant_id", name="uq_students_identity"),
        UniqueConstraint("id", "tenant_id", name="uq_students_tenant"),  # what other tables refer to
        Index("ix_students_likeness", "likeness_mac"),
        Index("ix_students_list", text("(tenant_id + 0)")),
    )


class AcademyClass(Base):
    """What a class is called. `id` is the `lecture_id` of enrolments, sessions, attendance and rosters; one
    that a roster has named may have no row here."""

    __tablename__ = "classes"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Enrolment(Base):
    """A student who attends a class."""

    __tablename__ = "enrolments"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    lecture_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    student_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    job_id: Mapped[UUID | None]  # the roster that enrolled it

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"]),
    )


class Attendance(Base):
    """`status`: PRESENT, ONLINE, LATE, LEFT_EARLY, EXCUSED or ABSENT."""

    __tablename__ = "attendance"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    lecture_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    status: Mapped[str] = mapped_column(String(16))

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"]),
    )


class Staff(Base):
    """`sealed` is the name."""

    __tablename__ = "staff"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes]


class StaffHours(Base):
    """One stretch of work; `break_minutes` of it are not work."""

    __tablename__ = "staff_hours"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    staff_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    began_at: Mapped[datetime] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime]
    break_minutes: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "staff_id"], ["staff.tenant_id", "staff.id"]),
        CheckConstraint("ended_at > began_at", name="ck_staff_hours_order"),
        Index("ix_staff_hours_month", "tenant_id", "began_at"),
    )

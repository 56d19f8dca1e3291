"""students, attendance and staff hours"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "students",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("identity_mac", sa.LargeBinary(), nullable=False),
        sa.Column("likeness_mac", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identity_mac", "tenant_id", name="uq_students_identity"),
        sa.UniqueConstraint("id", "tenant_id", name="uq_students_tenant"),
    )
    op.create_index("ix_students_likeness", "students", ["likeness_mac"], unique=False)
    op.create_table(
        "enrolments",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("lecture_id", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "lecture_id", "student_id"),
    )
    op.create_table(
        "attendance",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("lecture_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "lecture_id", "day", "student_id"),
    )
    op.create_table(
        "staff",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_table(
        "staff_hours",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("break_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("ended_at > began_at", name="ck_staff_hours_order"),
        sa.ForeignKeyConstraint(["tenant_id", "staff_id"], ["staff.tenant_id", "staff.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "staff_id", "began_at"),
    )
    op.create_index("ix_staff_hours_month", "staff_hours", ["tenant_id", "began_at"], unique=False)


def downgrade() -> None:
    op.drop_table("staff_hours")
    op.drop_table("staff")
    op.drop_table("attendance")
    op.drop_table("enrolments")
    op.drop_table("students")

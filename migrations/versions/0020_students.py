"""who left, what classes are called, and indexes below the list of students
and the history of one

Processes of the release before do not notice: they read and write students without the new column.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE SEQUENCE IF NOT EXISTS class_ids START 1000000000000")
        op.create_table(
            "classes",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("title", sa.String(length=100), nullable=False),
            sa.Column(
                "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
            sa.PrimaryKeyConstraint("tenant_id", "id"),
            if_not_exists=True,
        )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON classes "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )
        op.add_column(
            "students", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True), if_not_exists=True
        )
        op.create_index(
            "ix_students_list",
            "students",
            [sa.text("(tenant_id + 0)")],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_audit_records_student",
            "audit_records",
            ["tenant_id", sa.text("(about ->> 'student_id')"), "id"],
            postgresql_where=sa.text("(about ->> 'student_id') IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    op.drop_index("ix_audit_records_student", "audit_records")
    op.drop_index("ix_students_list", "students")
    op.drop_column("students", "left_at")
    op.drop_table("classes")
    op.execute("DROP SEQUENCE class_ids")

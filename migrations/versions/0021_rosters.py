"""what a student's entries were before, which import enrolled whom, and columns of rosters that were named by
hand

All of it is new, so that processes of the release before do not notice; what they import meanwhile has no
history.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES = ("student_changes", "roster_columns")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_table(
            "student_changes",
            sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("student_id", sa.BigInteger(), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
            sa.Column("job_id", sa.Uuid(), nullable=True),
            sa.Column("before_job_id", sa.Uuid(), nullable=True),
            sa.Column("who", sa.String(length=200), nullable=True),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            sa.ForeignKeyConstraint(["tenant_id", "student_id"], ["students.tenant_id", "students.id"]),
            sa.PrimaryKeyConstraint("id"),
            if_not_exists=True,
        )
        op.create_index(
            "ix_student_changes_student",
            "student_changes",
            ["student_id", "id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_student_changes_job",
            "student_changes",
            ["job_id"],
            postgresql_where=sa.text("job_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_table(
            "roster_columns",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("header_mac", sa.LargeBinary(), nullable=False),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            sa.Column(
                "updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
            sa.PrimaryKeyConstraint("tenant_id", "header_mac"),
            if_not_exists=True,
        )
        for table in _TABLES:
            op.execute(
                f"CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON {table} "
                "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
            )
        op.add_column("enrolments", sa.Column("job_id", sa.Uuid(), nullable=True), if_not_exists=True)


def downgrade() -> None:
    op.drop_column("enrolments", "job_id")
    for table in _TABLES:
        op.drop_table(table)

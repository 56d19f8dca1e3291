"""e-mails: mail servers of academies, and what of a sending is on its way

Off until a mail server is set up. Jobs of before, and those that a worker of the release before prepares, are
no e-mails.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "message_jobs",
            sa.Column("by_mail", sa.Boolean(), server_default="false", nullable=False),
            if_not_exists=True,
        )
        op.add_column(
            "message_groups", sa.Column("lineage", sa.String(64), nullable=True), if_not_exists=True
        )
        op.create_table(
            "mail_servers",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            sa.Column(
                "written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
            sa.PrimaryKeyConstraint("tenant_id"),
            if_not_exists=True,
        )
        op.create_table(
            "mail_attempts",
            sa.Column("job_id", sa.Uuid(), nullable=False),
            sa.Column("position", sa.Integer(), nullable=False),
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("tries", sa.Integer(), nullable=False),
            sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
            sa.ForeignKeyConstraint(["job_id"], ["message_jobs.job_id"]),
            sa.PrimaryKeyConstraint("job_id", "position"),
            if_not_exists=True,
        )
        for table in ("mail_servers", "mail_attempts"):
            op.execute(
                f"CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON {table} "
                "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
            )


def downgrade() -> None:
    op.drop_table("mail_attempts")
    op.drop_table("mail_servers")
    op.drop_column("message_groups", "lineage")
    op.drop_column("message_jobs", "by_mail")

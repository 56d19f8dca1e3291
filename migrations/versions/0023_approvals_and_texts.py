"""messages that wait for a second person; texts that an academy keeps

Off until a tenant's account says above how many recipients. Jobs that a worker of the release before prepares
wait for nobody.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "messaging_accounts", sa.Column("approval_above", sa.Integer(), nullable=True), if_not_exists=True
        )
        op.add_column(
            "messaging_accounts",
            sa.Column("approval_of_systems", sa.Boolean(), server_default="false", nullable=False),
            if_not_exists=True,
        )
        op.add_column(
            "message_jobs", sa.Column("asked_by", sa.String(220), nullable=True), if_not_exists=True
        )
        op.add_column("message_jobs", sa.Column("approval", sa.String(16), nullable=True), if_not_exists=True)
        op.add_column(
            "message_jobs", sa.Column("decided_by", sa.String(220), nullable=True), if_not_exists=True
        )
        op.add_column(
            "message_jobs",
            sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
            if_not_exists=True,
        )
        op.create_index(
            "ix_message_jobs_waiting",
            "message_jobs",
            ["tenant_id"],
            postgresql_where=sa.text("approval = 'WAITING'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_table(
            "text_templates",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("name", sa.String(60), nullable=False),
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            sa.Column("written_by", sa.String(220), nullable=False),
            sa.Column(
                "written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
            sa.PrimaryKeyConstraint("tenant_id", "name", "version"),
            if_not_exists=True,
        )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON text_templates "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )


def downgrade() -> None:
    op.drop_table("text_templates")
    op.drop_index("ix_message_jobs_waiting", table_name="message_jobs")
    for name in ("decided_at", "decided_by", "approval", "asked_by"):
        op.drop_column("message_jobs", name)
    for name in ("approval_of_systems", "approval_above"):
        op.drop_column("messaging_accounts", name)

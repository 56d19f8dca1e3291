"""several notices to one phone as one text: how long a tenant's wait for others, and where each went

Off until an account has `digest_minutes`. Workers of the release before send each notice by itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "messaging_accounts",
            sa.Column("digest_minutes", sa.Integer(), server_default="0", nullable=False),
            if_not_exists=True,
        )
        op.create_table(
            "message_digests",
            sa.Column("job_id", sa.Uuid(), nullable=False),
            sa.Column("position", sa.Integer(), nullable=False),
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("digest_id", sa.Uuid(), nullable=False),
            sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("carried_at", sa.Integer(), nullable=True),
            sa.ForeignKeyConstraint(["job_id"], ["message_jobs.job_id"]),
            sa.ForeignKeyConstraint(["digest_id"], ["message_jobs.job_id"]),
            sa.PrimaryKeyConstraint("job_id", "position"),
            if_not_exists=True,
        )
        for name, columns in (
            ("ix_message_digests_digest", ["digest_id"]),
            ("ix_message_digests_window", ["tenant_id", "closes_at"]),
        ):
            op.create_index(
                name, "message_digests", columns, postgresql_concurrently=True, if_not_exists=True
            )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON message_digests "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )


def downgrade() -> None:
    op.drop_table("message_digests")
    op.drop_column("messaging_accounts", "digest_minutes")

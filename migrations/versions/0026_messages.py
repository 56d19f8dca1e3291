"""classes of messages; what the provider says of Alimtalk templates; who is told of messages

Nullable: of what was prepared before, or is by a worker of the release before, nobody knows whether it was to
none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "message_jobs",
            sa.Column("class_ids", sa.ARRAY(sa.BigInteger()), nullable=True),
            if_not_exists=True,
        )
        op.add_column(
            "callback_endpoints",
            sa.Column("messages", sa.Boolean(), server_default="false", nullable=False),
            if_not_exists=True,
        )
        op.create_table(
            "alimtalk_templates",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("template_id", sa.String(100), nullable=False),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("status", sa.String(20), nullable=False),
            sa.Column("remark", sa.String(1000), nullable=True),
            sa.Column(
                "changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
            sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
            sa.PrimaryKeyConstraint("tenant_id", "template_id"),
            if_not_exists=True,
        )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON alimtalk_templates "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )


def downgrade() -> None:
    op.drop_table("alimtalk_templates")
    op.drop_column("callback_endpoints", "messages")
    op.drop_column("message_jobs", "class_ids")

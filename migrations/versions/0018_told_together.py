"""who is told in the message of another with the same phone

Nobody of the release before is: without a value it is a message of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "message_recipients", sa.Column("merged_into", sa.Integer(), nullable=True), if_not_exists=True
        )
        op.create_index(
            "ix_message_recipients_merged",
            "message_recipients",
            ["job_id"],
            postgresql_where=sa.text("merged_into IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    op.drop_index("ix_message_recipients_merged", table_name="message_recipients")
    op.drop_column("message_recipients", "merged_into")

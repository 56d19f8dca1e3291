"""until when a message may be sent, and what its sender should know of a job that was not refused

Both may be missing: jobs of the release before have neither.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "message_jobs",
            sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
            if_not_exists=True,
        )
        op.add_column(
            "message_jobs",
            sa.Column("notes", postgresql.JSONB(), nullable=True),
            if_not_exists=True,
        )


def downgrade() -> None:
    op.drop_column("message_jobs", "notes")
    op.drop_column("message_jobs", "expires_at")

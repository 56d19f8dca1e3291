"""databases that were made while 0003 and 0006 had another form get what those have now

0006 got an index after it had been released, and 0003 lost one. What is released is never edited again:
`migrations/released.sha256` keeps it, a test compares.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody waits for an index that is built beside them. One that an interrupted run has left is not valid,
    so it is dropped and built again whatever is there."""
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_message_recipients_chunk",
            "message_recipients",
            if_exists=True,
            postgresql_concurrently=True,
        )
        op.drop_index("ix_jobs_finished", "jobs", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_jobs_finished",
            "jobs",
            ["finished_at"],
            postgresql_where=sa.text("finished_at IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    """0006 as it stands has this index too."""

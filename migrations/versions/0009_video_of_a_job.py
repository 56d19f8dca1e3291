"""which lecture a job is about stands in a column of its own, and not only in its workflow's id

Jobs that workers of the release before accept meanwhile have none, and show no lecture in the console's list.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FILL = r"""
    UPDATE jobs SET video_id = substring(workflow_id FROM '-v(\d+)-')::bigint
    WHERE workflow_id ~ '-v\d+-' AND video_id IS NULL AND finished_at IS"""


def upgrade() -> None:
    """Each statement by itself: nobody waits for the table while its rows are filled."""
    with op.get_context().autocommit_block():
        op.add_column("jobs", sa.Column("video_id", sa.BigInteger(), nullable=True), if_not_exists=True)
        op.execute(f"{FILL} NOT NULL")  # the many, which nobody writes to any more
        op.execute(f"{FILL} NULL")


def downgrade() -> None:
    op.drop_column("jobs", "video_id")

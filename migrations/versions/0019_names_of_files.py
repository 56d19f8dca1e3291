"""what a file was called, sealed with its academy's key; and which upload a job is about

Jobs that processes of the release before accept meanwhile, and files that they take, have no name on pages.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "uploads", sa.Column("sealed_name", sa.LargeBinary(), nullable=True), if_not_exists=True
        )
        op.add_column("jobs", sa.Column("upload_id", sa.Uuid(), nullable=True), if_not_exists=True)


def downgrade() -> None:
    op.drop_column("jobs", "upload_id")
    op.drop_column("uploads", "sealed_name")

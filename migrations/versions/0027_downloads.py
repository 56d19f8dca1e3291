"""lectures that may be downloaded

Off until somebody says for a lecture how many lines the file may have.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column("videos", sa.Column("download_lines", sa.Integer(), nullable=True), if_not_exists=True)
        op.add_column("videos", sa.Column("download_key", sa.String(500), nullable=True), if_not_exists=True)


def downgrade() -> None:
    op.drop_column("videos", "download_key")
    op.drop_column("videos", "download_lines")

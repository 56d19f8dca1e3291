"""service keys have rights; those of before have none written, and keep all

Processes of the release before do not ask for them: until the last has gone, a new key may all with those.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "service_keys", sa.Column("rights", sa.String(length=100), nullable=True), if_not_exists=True
        )


def downgrade() -> None:
    op.drop_column("service_keys", "rights")

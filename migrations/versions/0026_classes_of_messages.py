"""the classes that a message was written to

Nullable: of what was prepared before, or is by a worker of the release before, nobody knows whether it was to
none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.add_column(
            "message_jobs",
            sa.Column("class_ids", sa.ARRAY(sa.BigInteger()), nullable=True),
            if_not_exists=True,
        )


def downgrade() -> None:
    op.drop_column("message_jobs", "class_ids")

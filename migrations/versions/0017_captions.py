"""captions of lectures, and their chapters

All of it is new, so that processes of the release before do not notice.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_table(
            "captions",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("video_id", sa.BigInteger(), nullable=False),
            sa.Column("id", sa.Uuid(), nullable=False),
            sa.Column("language", sa.String(length=35), nullable=False),
            sa.Column("name", sa.String(length=100), nullable=False),
            sa.Column("origin", sa.String(length=16), nullable=False),
            sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
            sa.Column("prefix", sa.String(length=500), nullable=False),
            sa.Column("cues", sa.Integer(), nullable=False),
            sa.Column(
                "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["tenant_id", "video_id"], ["videos.tenant_id", "videos.id"]),
            sa.PrimaryKeyConstraint("tenant_id", "video_id", "id"),
            sa.UniqueConstraint("tenant_id", "video_id", "language", "name", name="uq_captions_name"),
            if_not_exists=True,
        )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON captions "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )
        op.add_column("videos", sa.Column("chapters", postgresql.JSONB(), nullable=True), if_not_exists=True)


def downgrade() -> None:
    op.drop_column("videos", "chapters")
    op.drop_table("captions")

"""what a restored database is mended with: jobs written again, requests that joined, objects of nobody

All of it is new, so that processes of the release before do not notice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "joined_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=True),
        sa.Column("payload_sha256", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_joined_requests_external", "joined_requests", ["tenant_id", "external_id"])
    op.create_index("ix_joined_requests_video", "joined_requests", ["tenant_id", "video_id"])
    op.create_table(
        "orphans",
        sa.Column("prefix", sa.String(length=500), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=64), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("prefix"),
    )
    with op.get_context().autocommit_block():  # it takes a while, and nobody waits for it
        op.create_index(
            "ix_jobs_video",
            "jobs",
            ["tenant_id", "video_id"],
            postgresql_where=sa.text("video_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    op.drop_index("ix_jobs_video", "jobs")
    op.drop_table("orphans")
    op.drop_table("joined_requests")
    op.drop_column("jobs", "restored_at")

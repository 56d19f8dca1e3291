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
    """Each statement by itself, and again if it was interrupted: nobody waits for the index."""
    with op.get_context().autocommit_block():
        op.add_column(
            "jobs", sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True), if_not_exists=True
        )
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
            if_not_exists=True,
        )
        for name, column in (("external", "external_id"), ("video", "video_id")):
            op.create_index(
                f"ix_joined_requests_{name}",
                "joined_requests",
                ["tenant_id", column],
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        op.create_table(
            "orphans",
            sa.Column("prefix", sa.String(length=500), nullable=False),
            sa.Column("objects", sa.Integer(), nullable=False),
            sa.Column("size", sa.BigInteger(), nullable=False),
            sa.Column("why", sa.String(length=64), nullable=False),
            sa.Column(
                "found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
            sa.PrimaryKeyConstraint("prefix"),
            if_not_exists=True,
        )
        # One that an interrupted run has left is not valid.
        op.drop_index("ix_jobs_video", "jobs", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_jobs_video",
            "jobs",
            ["tenant_id", "video_id"],
            postgresql_where=sa.text("video_id IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("ix_jobs_video", "jobs")
    op.drop_table("orphans")
    op.drop_table("joined_requests")
    op.drop_column("jobs", "restored_at")

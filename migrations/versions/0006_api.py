"""keys of requests, uploads, ids of videos, and indexes for lists of jobs"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE video_ids START 1000000000000")
    op.add_column("videos", sa.Column("title", sa.String(length=200), nullable=True))
    op.create_index(
        "ix_jobs_finished", "jobs", ["finished_at"], postgresql_where=sa.text("finished_at IS NOT NULL")
    )
    op.create_index("ix_jobs_tenant", "jobs", ["tenant_id", "seq"])
    op.create_index("ix_jobs_tenant_state", "jobs", ["tenant_id", "state", "seq"])
    op.create_index(
        "ix_jobs_kept_payload",
        "jobs",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL AND sealed_payload IS NOT NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("sealed_answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
    op.create_index(op.f("ix_idempotency_keys_claimed_at"), "idempotency_keys", ["claimed_at"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("file_key", sa.String(length=500), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("multipart_id", sa.String(length=1024), nullable=True),
        sa.Column("part_size", sa.BigInteger(), nullable=True),
        sa.Column("video_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), server_default="open", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_uploads_open", "uploads", ["touched_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_index(
        "ix_uploads_video",
        "uploads",
        ["tenant_id", "video_id"],
        postgresql_where=sa.text("video_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("uploads")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_jobs_kept_payload", "jobs")
    op.drop_index("ix_jobs_tenant_state", "jobs")
    op.drop_index("ix_jobs_tenant", "jobs")
    op.drop_index("ix_jobs_finished", "jobs")
    op.drop_column("videos", "title")
    op.execute("DROP SEQUENCE video_ids")

"""what captions and read documents are found by

All of it is new. Processes of the release before that remove captions or jobs take it along unknowingly, by
its references.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_table(
            "search_texts",
            sa.Column("tenant_id", sa.BigInteger(), nullable=False),
            sa.Column("id", sa.Uuid(), nullable=False),
            sa.Column("video_id", sa.BigInteger(), nullable=True),
            sa.Column("job_id", sa.Uuid(), nullable=True),
            sa.Column("object_key", sa.String(length=600), nullable=False),
            sa.Column("key_id", sa.Integer(), nullable=False),
            sa.Column("pieces", postgresql.ARRAY(sa.Integer()), nullable=False),
            sa.Column("problem", sa.String(length=64), nullable=True),
            sa.Column(
                "indexed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
            sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
            sa.ForeignKeyConstraint(
                ["tenant_id", "video_id", "id"],
                ["captions.tenant_id", "captions.video_id", "captions.id"],
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("tenant_id", "id"),
            if_not_exists=True,
        )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON search_texts "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )
        op.create_index(
            "ix_search_texts_pieces",
            "search_texts",
            ["pieces"],
            postgresql_using="gin",
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_search_texts_job",
            "search_texts",
            ["job_id"],
            unique=True,
            postgresql_where=sa.text("job_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_jobs_documents",
            "jobs",
            ["finished_at", "tenant_id", "id"],
            postgresql_where=sa.text(
                "job_type = 'ai.ocr' AND (result -> 'files' ->> 'text.txt') IS NOT NULL"
            ),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    op.drop_index("ix_jobs_documents", "jobs")
    op.drop_table("search_texts")

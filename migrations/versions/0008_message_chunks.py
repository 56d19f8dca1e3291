"""what a group is filled with lies in one row a chunk: texts, reservation, the provider's ids

Rows of recipients are written once and ended once; everything between is the chunk's. Workers of the release
before find their columns gone and try again until they are replaced.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RECIPIENTS, CHUNKS = "message_recipients", "message_chunks"


def upgrade() -> None:
    op.create_table(
        CHUNKS,
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed", postgresql.ARRAY(sa.LargeBinary()), nullable=True),
        sa.Column("reserved_on", sa.Date(), nullable=True),
        sa.Column("reserved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("positions", postgresql.ARRAY(sa.Integer()), nullable=True),
        sa.Column("provider_ids", postgresql.ARRAY(sa.String(length=64)), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["message_jobs.job_id"]),
        sa.PrimaryKeyConstraint("job_id", "chunk"),
    )
    op.create_index("ix_message_chunks_day", CHUNKS, ["tenant_id", "reserved_on"])
    op.execute("""
        INSERT INTO message_chunks
            (job_id, chunk, tenant_id, sealed, reserved_on, reserved, positions, provider_ids)
        SELECT job_id, chunk, min(tenant_id),
            array_agg(sealed ORDER BY position) FILTER (WHERE sealed IS NOT NULL),
            max(reserved_on), count(reserved_on),
            array_agg(position ORDER BY position) FILTER (WHERE provider_message_id IS NOT NULL),
            array_agg(provider_message_id ORDER BY position) FILTER (WHERE provider_message_id IS NOT NULL)
        FROM message_recipients GROUP BY job_id, chunk""")
    op.drop_index("ix_message_recipients_day", RECIPIENTS)
    op.drop_index("ix_message_recipients_provider", RECIPIENTS)
    for name in ("sealed", "reserved", "reserved_on", "provider_message_id"):
        op.drop_column(RECIPIENTS, name)
    op.create_index("ix_message_recipients_phone", RECIPIENTS, ["tenant_id", "phone_mac"])
    op.create_index("ix_message_groups_job", "message_groups", ["job_id"])
    op.drop_constraint("message_recipients_job_id_fkey", RECIPIENTS)
    op.drop_constraint("credit_entries_tenant_id_fkey", "credit_entries")
    op.drop_constraint("uq_credit_entries_reference", "credit_entries")
    op.create_index(
        "uq_credit_entries_reference",
        "credit_entries",
        ["tenant_id", "reference"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )


def downgrade() -> None:
    """Texts of open jobs lie in one piece a chunk and cannot be taken apart here: finish those jobs first."""
    op.drop_index("uq_credit_entries_reference", "credit_entries")
    op.create_unique_constraint("uq_credit_entries_reference", "credit_entries", ["tenant_id", "reference"])
    op.create_foreign_key("credit_entries_tenant_id_fkey", "credit_entries", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        "message_recipients_job_id_fkey", RECIPIENTS, "message_jobs", ["job_id"], ["job_id"]
    )
    op.drop_index("ix_message_groups_job", "message_groups")
    op.drop_index("ix_message_recipients_phone", RECIPIENTS)
    op.add_column(RECIPIENTS, sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column(RECIPIENTS, sa.Column("reserved", sa.Numeric(14, 2), nullable=True))
    op.add_column(RECIPIENTS, sa.Column("reserved_on", sa.Date(), nullable=True))
    op.add_column(RECIPIENTS, sa.Column("provider_message_id", sa.String(length=64), nullable=True))
    op.execute("""
        UPDATE message_recipients r SET reserved = -e.amount, reserved_on = c.reserved_on
        FROM credit_entries e, message_chunks c
        WHERE e.job_id = r.job_id AND e.position = r.position AND e.kind = 'RESERVE'
            AND c.job_id = r.job_id AND c.chunk = r.chunk""")
    op.execute("""
        UPDATE message_recipients r SET provider_message_id = n.id
        FROM message_chunks c, unnest(c.positions, c.provider_ids) AS n (position, id)
        WHERE c.job_id = r.job_id AND n.position = r.position""")
    op.create_index("ix_message_recipients_day", RECIPIENTS, ["tenant_id", "reserved_on", "phone_mac"])
    op.create_index("ix_message_recipients_provider", RECIPIENTS, ["provider_message_id"])
    op.drop_table(CHUNKS)

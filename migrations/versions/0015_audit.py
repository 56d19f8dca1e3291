"""the audit: added to and read, and nothing else

Whoever may write rows can change none. One may be removed when it is older than the year that Korean law
asks for; the job that enforces retention keeps them longer than that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEEP = """
CREATE OR REPLACE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '366 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'records of the audit are kept as they are' USING ERRCODE = 'AU001';
END $$"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_table(
            "audit_records",
            sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
            sa.Column("caller", sa.String(length=220), nullable=False),
            sa.Column("tenant_id", sa.BigInteger(), nullable=True),
            sa.Column("operation", sa.String(length=200), nullable=False),
            sa.Column("about", postgresql.JSONB(), nullable=False),
            sa.Column("status", sa.Integer(), nullable=False),
            sa.Column("address", sa.String(length=64), nullable=False),
            sa.Column("request_id", sa.String(length=64), nullable=False),
            sa.PrimaryKeyConstraint("id"),
            if_not_exists=True,
        )
        for name, columns in (("tenant", ["tenant_id", "id"]), ("at", ["at"])):
            op.create_index(
                f"ix_audit_records_{name}",
                "audit_records",
                columns,
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        op.execute(KEEP)
        op.execute(
            "CREATE OR REPLACE TRIGGER keep_audit BEFORE UPDATE OR DELETE ON audit_records "
            "FOR EACH ROW EXECUTE FUNCTION keep_audit()"
        )
        op.execute(
            "CREATE OR REPLACE TRIGGER keep_all_audit BEFORE TRUNCATE ON audit_records "
            "FOR EACH STATEMENT EXECUTE FUNCTION keep_audit()"
        )


def downgrade() -> None:
    op.drop_table("audit_records")
    op.execute("DROP FUNCTION keep_audit")

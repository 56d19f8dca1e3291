"""sessions of staff: they end at logout, when they are idle, and at their end

All of it is new, so that processes of the release before do not notice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_table(
            "staff_sessions",
            sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
            sa.Column("secret_sha256", sa.String(length=64), nullable=False),
            sa.Column("purpose", sa.String(length=16), nullable=False),
            sa.Column("sub", sa.String(length=200), nullable=False),
            sa.Column("tenant_id", sa.BigInteger(), nullable=True),
            sa.Column("operator", sa.Boolean(), nullable=False),
            sa.Column("rights", sa.String(length=100), nullable=False),
            sa.Column("token_sha256", sa.String(length=64), nullable=True),
            sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column(
                "began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            ),
            sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
            sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("secret_sha256"),
            if_not_exists=True,
        )
        for name, column, where in (
            ("token", "token_sha256", "token_sha256 IS NOT NULL"),
            ("sub", "sub", "ended_at IS NULL"),
            ("used", "used_at", None),
        ):
            op.create_index(
                f"ix_staff_sessions_{name}",
                "staff_sessions",
                [column],
                postgresql_where=sa.text(where) if where else None,
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        op.execute(
            "CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON staff_sessions "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
        )


def downgrade() -> None:
    op.drop_table("staff_sessions")

"""messages to parents"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_differences",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("provider_message_id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("ours", sa.String(length=64), nullable=True),
        sa.Column("theirs", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", "provider_message_id"),
    )
    op.create_table(
        "provider_turns",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "cancelled_reservations",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "reservation_id"),
    )
    op.create_table(
        "credit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "position", "kind", name="uq_credit_entries_once"),
        sa.UniqueConstraint("tenant_id", "reference", name="uq_credit_entries_reference"),
    )
    op.create_table(
        "messaging_accounts",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_balance", sa.Numeric(precision=14, scale=2), server_default="0", nullable=False),
        sa.Column("price_sms", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("price_lms", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("price_mms", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("price_ata", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("sender", sa.String(length=20), nullable=True),
        sa.Column("pf_id", sa.String(length=64), nullable=True),
        sa.Column("advertiser", sa.String(length=40), nullable=True),
        sa.Column("opt_out_number", sa.String(length=20), nullable=True),
        sa.Column("night_advertising", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("daily_cap", sa.Integer(), nullable=True),
        sa.Column("daily_cap_per_phone", sa.Integer(), nullable=True),
        sa.Column("waits_for_credit", sa.Boolean(), server_default="true", nullable=False),
        sa.CheckConstraint("credit_balance >= 0", name="ck_messaging_accounts_balance"),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "notification_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("amount_deducted", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("recipient_summary", sa.String(length=40), nullable=False),
        sa.Column("template_summary", sa.String(length=120), nullable=False),
        sa.Column("failure_reason", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "position", name="uq_notification_log_once"),
    )
    op.create_index("ix_notification_log_tenant", "notification_log", ["tenant_id", "sent_at"], unique=False)
    op.create_table(
        "opt_outs",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("phone_mac", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "phone_mac"),
    )
    op.create_table(
        "sender_numbers",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "number"),
    )
    op.create_table(
        "message_jobs",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.BigInteger(), nullable=True),
        sa.Column("advertising", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("fallback", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("template_id", sa.String(length=100), nullable=True),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recipients", sa.Integer(), nullable=True),
        sa.Column("chunks", sa.Integer(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_table(
        "message_groups",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="OPEN", nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=True),
        sa.Column("send_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["message_jobs.job_id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "job_id", "chunk"),
    )
    op.create_index("ix_message_groups_group", "message_groups", ["group_id"], unique=True)
    op.create_index(
        "ix_message_groups_unfinished",
        "message_groups",
        ["sent_at"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('DONE', 'CANCELLED')"),
    )
    op.create_table(
        "message_occurrences",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["message_jobs.job_id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "occurrence"),
    )
    op.create_index(
        "ix_message_occurrences_holder", "message_occurrences", ["job_id", "position"], unique=False
    )
    op.create_table(
        "message_recipients",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("recipient_id", sa.String(length=100), nullable=False),
        sa.Column("phone_mac", sa.LargeBinary(), nullable=False),
        sa.Column("masked_phone", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("channel", sa.String(length=3), nullable=False),
        sa.Column("fallback", sa.String(length=3), nullable=True),
        sa.Column("sent_as", sa.String(length=3), nullable=True),
        sa.Column("state", sa.String(length=16), server_default="PENDING", nullable=False),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("provider_message_id", sa.String(length=64), nullable=True),
        sa.Column("reserved", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("reserved_on", sa.Date(), nullable=True),
        sa.Column("final_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["message_jobs.job_id"],
        ),
        sa.PrimaryKeyConstraint("job_id", "position"),
    )
    op.create_index(
        "ix_message_recipients_day",
        "message_recipients",
        ["tenant_id", "reserved_on", "phone_mac"],
        unique=False,
    )
    op.create_index(
        "ix_message_recipients_provider", "message_recipients", ["provider_message_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("message_recipients")
    op.drop_table("message_occurrences")
    op.drop_table("message_groups")
    op.drop_table("message_jobs")
    op.drop_table("sender_numbers")
    op.drop_table("opt_outs")
    op.drop_table("notification_log")
    op.drop_table("messaging_accounts")
    op.drop_table("credit_entries")
    op.drop_table("cancelled_reservations")
    op.drop_table("provider_turns")
    op.drop_table("provider_differences")

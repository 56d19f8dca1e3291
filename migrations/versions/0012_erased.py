"""erased tenants: a tombstone, and nothing is written for one any more, by whatever process

The statements that write are asked, not each row: a chunk of ten thousand recipients is asked about once.
Processes of the release before are refused as well.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Each with a `tenant_id`; `clients.database.erasing` says what becomes of all tables, a test compares.
GUARDED = (
    "attendance",
    "callback_endpoints",
    "cancelled_reservations",
    "enrolments",
    "idempotency_keys",
    "jobs",
    "joined_requests",
    "lecture_sessions",
    "message_chunks",
    "message_groups",
    "message_jobs",
    "message_occurrences",
    "message_recipients",
    "notification_log",
    "opt_outs",
    "playback_sessions",
    "playback_violations",
    "provider_differences",
    "renditions",
    "sender_numbers",
    "service_keys",
    "session_enrolments",
    "staff",
    "staff_hours",
    "students",
    "uploads",
    "video_access",
    "video_progress",
    "videos",
)

# FOR KEY SHARE: whoever writes the tombstone waits for those who passed, and who comes later sees it.
REFUSE = """
CREATE OR REPLACE FUNCTION refuse_erased() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE erased timestamptz;
BEGIN
    FOR erased IN SELECT t.erased_at FROM tenants t
        WHERE t.id IN (SELECT DISTINCT w.tenant_id FROM written w) ORDER BY t.id FOR KEY SHARE
    LOOP
        IF erased IS NOT NULL THEN
            RAISE EXCEPTION 'the tenant was erased' USING ERRCODE = 'ER001';
        END IF;
    END LOOP;
    RETURN NULL;
END $$"""


def upgrade() -> None:
    """A table at a time: each waits for those who write to it, and all can be run twice."""
    with op.get_context().autocommit_block():
        for column in ("erasing_at", "erased_at"):
            op.add_column(
                "tenants", sa.Column(column, sa.DateTime(timezone=True), nullable=True), if_not_exists=True
            )
        op.execute(REFUSE)
        for table in GUARDED:
            op.execute(
                f"CREATE OR REPLACE TRIGGER refuse_erased AFTER INSERT ON {table} "
                "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased()"
            )


def downgrade() -> None:
    for table in GUARDED:
        op.execute(f"DROP TRIGGER refuse_erased ON {table}")
    op.execute("DROP FUNCTION refuse_erased")
    op.drop_column("tenants", "erased_at")
    op.drop_column("tenants", "erasing_at")

"""who may watch a lecture, and who is watching"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STUDENT = (["tenant_id", "student_id"], ["students.tenant_id", "students.id"])
VIDEO = (["tenant_id", "video_id"], ["videos.tenant_id", "videos.id"])


def upgrade() -> None:
    op.add_column(
        "videos", sa.Column("has_pictures", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("videos", sa.Column("session_id", sa.BigInteger(), nullable=True))
    op.add_column("videos", sa.Column("policy_version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("videos", sa.Column("subtitles_key", sa.String(length=500), nullable=True))
    op.create_table(
        "lecture_sessions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lecture_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_table(
        "session_enrolments",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"], ["lecture_sessions.tenant_id", "lecture_sessions.id"]
        ),
        sa.ForeignKeyConstraint(*STUDENT),
        sa.PrimaryKeyConstraint("tenant_id", "session_id", "student_id"),
    )
    op.create_table(
        "video_access",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=False),
        sa.Column("access_mode", sa.String(length=16), nullable=True),
        sa.Column("blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(*STUDENT),
        sa.ForeignKeyConstraint(*VIDEO),
        sa.PrimaryKeyConstraint("tenant_id", "video_id", "student_id"),
    )
    op.create_table(
        "video_progress",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=False),
        sa.Column("furthest", sa.Double(), server_default="0", nullable=False),
        sa.Column("slack", sa.Double(), server_default="3", nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("progress", sa.Double(), server_default="0", nullable=False),
        sa.Column("proctored_completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(*STUDENT),
        sa.ForeignKeyConstraint(*VIDEO),
        sa.PrimaryKeyConstraint("tenant_id", "video_id", "student_id"),
    )
    op.create_table(
        "playback_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=True),
        sa.Column("hls_prefix", sa.String(length=500), nullable=False),
        sa.Column("policy_version", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(*STUDENT),
        sa.ForeignKeyConstraint(*VIDEO),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "uq_playback_sessions_student",
        "playback_sessions",
        ["tenant_id", "student_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND student_id IS NOT NULL"),
    )
    op.create_table(
        "playback_violations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["playback_sessions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_playback_violations_student",
        "playback_violations",
        ["tenant_id", "student_id", "video_id", "at"],
    )


def downgrade() -> None:
    op.drop_table("playback_violations")
    op.drop_table("playback_sessions")
    op.drop_table("video_progress")
    op.drop_table("video_access")
    op.drop_table("session_enrolments")
    op.drop_table("lecture_sessions")
    for column in ("subtitles_key", "policy_version", "session_id", "has_pictures"):
        op.drop_column("videos", column)

"""Captions of lectures. Chapters are a column of `videos`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Integer, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base, words
from contracts.captions import Origin


class Caption(Base):
    """One language of a lecture's captions. `prefix`: where its playlist and segments lie, ends with a slash;
    below the version's own for what came with its source (`origin` EMBEDDED)."""

    __tablename__ = "captions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    video_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(35))
    name: Mapped[str] = mapped_column(String(100))
    origin: Mapped[Origin] = mapped_column(words(Origin, 16))
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    prefix: Mapped[str] = mapped_column(String(500))
    cues: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "video_id"], ["videos.tenant_id", "videos.id"]),
        UniqueConstraint("tenant_id", "video_id", "language", "name", name="uq_captions_name"),
    )

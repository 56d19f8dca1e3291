"""The table of tenants' data keys. `clients/keys.py` holds what is done with them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base


class TenantKey(Base):
    """A tenant's data key, wrapped by a key of PAYLOAD_KEYS. At most the newest of a tenant is alive;
    a destroyed one keeps its row and its number, which is never given again."""

    __tablename__ = "tenant_keys"

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id"), primary_key=True)
    key_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    destroyed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="ck_tenant_keys_destroyed"),
    )

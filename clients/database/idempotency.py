"""What was answered to POSTs with an `Idempotency-Key`: for a day the same one gets the same answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Integer, String, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base
from clients.vault import Vault

KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)  # longer than any request takes: its process has died


class IdempotencyKey(Base):
    """`tenant_id` is 0 for operators who act for no tenant. The answer is sealed, and there once given.

    `request_hash` is keyed (`clients.vault`): requests hold personal data.
    """

    __tablename__ = "idempotency_keys"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    status: Mapped[int | None] = mapped_column(Integer)
    sealed_answer: Mapped[bytes | None]


@dataclass(frozen=True)
class Known:
    """A key that was used before. `status` is None while its first request is at work."""

    same_request: bool
    status: int | None
    sealed_answer: bytes | None


async def claim(
    connection: AsyncConnection,
    vault: Vault,
    tenant_id: int,
    key: str,
    request_sha256: str,
    also_sha256: str | None = None,
) -> Known | None:
    """None: the key is this request's now. A claim that its process did not answer is taken over.
    `also_sha256`: what an older release would have written for the request."""
    free = or_(
        IdempotencyKey.claimed_at < func.now() - KEPT,
        IdempotencyKey.status.is_(None) & (IdempotencyKey.claimed_at < func.now() - ABANDONED),
    )
    values = {"request_hash": vault.keyed_hash(request_sha256), "status": None, "sealed_answer": None}
    mine = (
        insert(IdempotencyKey)
        .values(tenant_id=tenant_id, key=key, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "key"], set_={**values, "claimed_at": func.now()}, where=free
        )
        .returning(IdempotencyKey.key)
    )
    if (await connection.execute(mine)).one_or_none():
        return None
    query = select(IdempotencyKey.request_hash, IdempotencyKey.status, IdempotencyKey.sealed_answer)
    found = (await connection.execute(query.where(*_this(tenant_id, key)))).one_or_none()
    if found is None:  # given back between the two statements
        return Known(True, None, None)
    request_hash, status, sealed_answer = found
    same = any(vault.same_hash(each, request_hash) for each in (request_sha256, also_sha256) if each)
    return Known(same, status, sealed_answer)


async def keep(
    connection: AsyncConnection, tenant_id: int, key: str, status: int, sealed_answer: bytes | None
) -> None:
    """The answer to a claimed key. Without `sealed_answer` it is made anew by the same request."""
    answer = {"status": status, "sealed_answer": sealed_answer}
    await connection.execute(update(IdempotencyKey).where(*_this(tenant_id, key)).values(answer))


async def give_back(connection: AsyncConnection, tenant_id: int, key: str) -> None:
    """The request did nothing: the key is free again."""
    await connection.execute(delete(IdempotencyKey).where(*_this(tenant_id, key)))


async def sweep(connection: AsyncConnection) -> int:
    """Forget what is older than a day; how many it was."""
    gone = await connection.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.claimed_at < func.now() - KEPT)
        .returning(IdempotencyKey.key)
    )
    return len(gone.all())


def _this(tenant_id: int, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (IdempotencyKey.tenant_id == tenant_id, IdempotencyKey.key == key)

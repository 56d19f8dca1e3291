"""What the provider said last of academies' Alimtalk templates. The caller holds the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.messaging_models import MessageJob, MessagingAccount
from clients.database.models import Base, Job
from clients.database.rows import columns, many
from contracts.alimtalk import GONE, AlimtalkTemplate
from contracts.jobs import FINAL_STATES


class KnownTemplate(Base):
    """A template of an academy's own channel. `remark`: what who looks at it has said last. Its words stay
    with the provider."""

    __tablename__ = "alimtalk_templates"

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id"), primary_key=True)
    template_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(20))
    remark: Mapped[str | None] = mapped_column(String(1000))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True, slots=True)
class KnownRow:
    """`changed_at`: when another status was first seen; `seen_at`: when the provider was last asked."""

    template_id: str
    name: str
    status: str
    remark: str | None
    changed_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelRow:
    tenant_id: int
    pf_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """`before`: None of one that was not known."""

    template_id: str
    before: str | None
    after: str


_KNOWN = select(*columns(KnownTemplate, KnownRow))


async def channels(connection: AsyncConnection) -> list[ChannelRow]:
    """Academies with a channel of their own."""
    query = select(MessagingAccount.tenant_id, MessagingAccount.pf_id).where(
        MessagingAccount.pf_id.is_not(None)
    )
    return await many(connection, query.order_by(MessagingAccount.pf_id), ChannelRow)


async def known(connection: AsyncConnection, tenant_id: int) -> list[KnownRow]:
    mine = _KNOWN.where(KnownTemplate.tenant_id == tenant_id)
    return await many(connection, mine.order_by(KnownTemplate.name, KnownTemplate.template_id), KnownRow)


async def note(
    connection: AsyncConnection, tenant_id: int, seen: Sequence[AlimtalkTemplate], *, whole: bool
) -> list[Change]:
    """Write down what the provider says; what is otherwise than before. `whole`: these are all of the
    channel, so what is known and not among them is GONE."""
    before = {row.template_id: row.status for row in await known(connection, tenant_id)}
    for each in sorted(seen, key=lambda each: each.template_id):
        values = {
            "name": each.name[:200],
            "status": each.status[:20],
            "remark": each.remark[:1000] if each.remark else None,
            "seen_at": func.now(),
        }
        changed = {} if before.get(each.template_id) == each.status[:20] else {"changed_at": func.now()}
        key = {"tenant_id": tenant_id, "template_id": each.template_id}
        row = insert(KnownTemplate).values(key | values)
        await connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values | changed))
    after = {each.template_id: each.status[:20] for each in seen}
    if whole and (gone := sorted(before.keys() - after.keys())):
        left = update(KnownTemplate).where(
            KnownTemplate.tenant_id == tenant_id,
            KnownTemplate.template_id.in_(gone),
            KnownTemplate.status != GONE,
        )
        await connection.execute(left.values(status=GONE, changed_at=func.now(), seen_at=func.now()))
        after |= dict.fromkeys(gone, GONE)
    return [Change(each, before.get(each), now) for each, now in after.items() if before.get(each) != now]


async def waiting(connection: AsyncConnection, tenant_id: int) -> Mapping[str, int]:
    """How many jobs that have not ended use each template."""
    query = (
        select(MessageJob.template_id, func.count())
        .join(Job, Job.id == MessageJob.job_id)
        .where(
            Job.tenant_id == tenant_id, Job.state.not_in(FINAL_STATES), MessageJob.template_id.is_not(None)
        )
        .group_by(MessageJob.template_id)
    )
    return {str(name): count for name, count in await connection.execute(query)}

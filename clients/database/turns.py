"""A rate limit that all processes share: each request takes the next turn of its account."""

import asyncio
from datetime import timedelta

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from clients.database.messaging_models import ProviderTurn


class Turns:
    """`await turns()` returns when the account's next request may leave (a leaky bucket without burst)."""

    def __init__(self, engine: AsyncEngine, account: str, per_second: float) -> None:
        self._engine = engine
        self._account = account
        self._apart = timedelta(seconds=1 / per_second)

    async def __call__(self) -> None:
        now = func.clock_timestamp()
        row = insert(ProviderTurn).values(account=self._account, next_at=now + self._apart)
        mine = row.on_conflict_do_update(
            index_elements=["account"],
            set_={"next_at": func.greatest(ProviderTurn.next_at, now) + self._apart},
        ).returning(func.extract("epoch", ProviderTurn.next_at - self._apart - now))
        async with self._engine.begin() as connection:
            wait = (await connection.execute(mine)).scalar_one()
        await asyncio.sleep(max(float(wait), 0))

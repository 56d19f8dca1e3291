"""Every minute: what a search is to find is read, and its pieces are noted.

No job waits for it or notices it: whatever made captions or read a document, now or before there was a
search, this finds what no index has.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.implements import implements
from clients.database import search
from clients.database.erasing import is_refused
from clients.database.search import Due, Indexed
from clients.keys import KeyDestroyed, Sealer, TenantKeys
from clients.objects import ObjectMissing, Objects
from clients.pieces import blinded
from clients.vault import VaultError
from contracts.activities import ops
from rules.search.passages import Passage, cues, joined, pages
from rules.search.words import pieces

AT_ONCE = 50  # of each kind
MOST_BYTES = 5 << 20  # of a text: captions have less, and documents of a thousand full pages
MISSING, TOO_LARGE, UNREADABLE = "missing", "too large", "unreadable"
INDEXED, LEFT, GONE = "indexed", "left", "gone"

log = logging.getLogger(__name__)


class IndexActivities:
    def __init__(self, engine: AsyncEngine, objects: Objects, keys: TenantKeys) -> None:
        self._engine = engine
        self._objects = objects
        self._keys = keys

    @implements(ops.INDEX)
    async def index(self) -> dict[str, int]:
        """Returns how many texts are found from now on, how many cannot be, and how many are left for the
        next turn: a server is away then."""
        return await self.run_once(ops.INDEX_LONGEST)

    async def run_once(self, longest: timedelta) -> dict[str, int]:
        """A tenant of whom one text cannot be helped now has its turn again in the next one: a server that is
        away is not asked for each text, and nobody waits behind a key that is not here."""
        counts: Counter[str] = Counter()
        ends = time.monotonic() + longest.total_seconds()
        later: set[int] = set()
        while some := await self._due(later):
            for each in some:
                if time.monotonic() > ends:
                    return dict(counts)
                if each.tenant_id in later:
                    continue
                outcome = await self._look_at(each)
                counts[outcome] += 1
                if outcome in (LEFT, GONE):
                    later.add(each.tenant_id)
        return dict(counts)

    async def _due(self, later: Collection[int]) -> list[Due]:
        async with self._engine.connect() as connection:
            return await search.due(connection, AT_ONCE, later)

    async def _look_at(self, what: Due) -> str:
        try:
            sealer = await self._keys.sealer(what.tenant_id)
            found = await asyncio.to_thread(self._read, what, sealer)
            async with self._engine.begin() as connection:
                there = await search.put(connection, what, found)
        except KeyDestroyed:
            return GONE
        except DBAPIError as error:
            return GONE if is_refused(error) else self._left(what, error)
        except (VaultError, BotoCoreError, ClientError, OSError) as error:
            return self._left(what, error)
        return (found.problem or INDEXED) if there else GONE

    def _left(self, what: Due, error: Exception) -> str:
        log.warning("text %s cannot be indexed now: %s", what.id, type(error).__name__)
        return LEFT

    def _read(self, what: Due, sealer: Sealer) -> Indexed:
        """Blocking. Raises the store's errors; what the text is at fault for is written down."""
        try:
            if self._objects.head(what.object_key).size > MOST_BYTES:
                return Indexed(sealer.key_id, problem=TOO_LARGE)
            content = self._objects.get(what.object_key)
        except ObjectMissing:
            return Indexed(sealer.key_id, problem=MISSING)
        try:
            text = joined(list(passages(content, captions=what.video_id is not None)))
            return Indexed(sealer.key_id, tuple(blinded(sealer, pieces(text))))
        except Exception as error:  # noqa: BLE001 - one text must not hide all others, minute after minute
            log.error("text %s cannot be split: %s", what.id, type(error).__name__)
            return Indexed(sealer.key_id, problem=UNREADABLE)


def passages(content: bytes, *, captions: bool) -> Iterable[Passage]:
    """Raises UnicodeDecodeError."""
    text = content.decode()
    return cues(text) if captions else pages(text)

"""Every minute: what a search is to find is read, and its pieces are noted.

No job waits for it or notices it: whatever made captions or read a document, now or before there was a
search, this finds what no index has.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
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
from contracts.activities import ops
from rules.search.passages import Passage, cues, joined, pages
from rules.search.words import pieces

AT_ONCE = 50  # of each kind
MOST_BYTES = 5 << 20  # of a text: captions have less, and documents of a thousand full pages
MISSING, TOO_LARGE, UNREADABLE = "missing", "too large", "unreadable"
INDEXED, LEFT = "indexed", "left"

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
        counts: Counter[str] = Counter()
        ends = time.monotonic() + longest.total_seconds()
        while time.monotonic() < ends:
            async with self._engine.connect() as connection:
                some = await search.due(connection, AT_ONCE)
            now = Counter([await self._look_at(each) for each in some])
            counts += now
            if not some or now[LEFT]:
                break
        return dict(counts)

    async def _look_at(self, what: Due) -> str:
        """One text that fails must not hide the others."""
        try:
            sealer = await self._keys.sealer(what.tenant_id)
            found = await asyncio.to_thread(self._read, what, sealer)
            async with self._engine.begin() as connection:
                there = await search.put(connection, what, found)
        except KeyDestroyed:  # in this moment: the next turn is not told of it any more
            return "gone"
        except DBAPIError as error:
            if is_refused(error):
                return "gone"
            return self._left(what, error)
        except (BotoCoreError, ClientError, OSError) as error:
            return self._left(what, error)
        return (found.problem or INDEXED) if there else "gone"

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
        except UnicodeDecodeError:
            return Indexed(sealer.key_id, problem=UNREADABLE)
        return Indexed(sealer.key_id, tuple(blinded(sealer, pieces(text))))


def passages(content: bytes, *, captions: bool) -> Iterable[Passage]:
    """Raises UnicodeDecodeError."""
    text = content.decode()
    return cues(text) if captions else pages(text)

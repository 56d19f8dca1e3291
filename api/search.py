"""Where words stand: in titles of lectures, in what is said in them, and in documents that were read.

The index says which texts may have them; each is read before it is shown, so nothing is shown that is no
longer there.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Generic, TypeVar
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from api import file_names
from api.services import Services
from clients.database import job_lists, search
from clients.database.search import Captioned, Read
from clients.keys import KeyDestroyed, NoKey
from clients.objects import ObjectMissing, Objects
from clients.pieces import blinded
from rules.search.finding import Query
from rules.search.passages import NOWHERE, Hits, cues, hits, pages
from rules.search.words import folded

MOST_READ = 24  # texts that one request reads
AT_ONCE = 8
LONGEST = 2.0  # seconds, after which a request begins no more texts
_turns = asyncio.Semaphore(AT_ONCE)  # of all requests: a text may have 5 MiB
T = TypeVar("T")


class StoreAway(ConnectionError):
    """The object store does not answer."""


@dataclass(frozen=True)
class Said:
    """Where words are said, by one language of a lecture's captions; places are milliseconds."""

    caption_id: UUID
    language: str
    name: str
    hits: Hits


@dataclass(frozen=True)
class LectureFound:
    """`in_title`: its title has the words."""

    video_id: int
    title: str | None
    in_title: bool
    said: list[Said]


@dataclass(frozen=True)
class DocumentFound:
    """`name`: what its file was called, where that is known. Places are pages. `job_id` is what its academy
    calls the job, `id` ours."""

    id: UUID
    job_id: str
    name: str | None
    read_at: datetime
    hits: Hits


@dataclass(frozen=True)
class Page(Generic[T]):
    """`next`: where to go on, None at the end. A page may have few or none, and more behind it."""

    found: list[T]
    next: int | None


async def lectures(
    services: Services, tenant: int, query: Query, *, before: int | None, limit: int
) -> Page[LectureFound]:
    """The newest first, before the lecture `before`. Raises the errors of the servers."""
    pieces = await _pieces(services, tenant, query)
    async with services.engine.connect() as connection:
        titles = {each.id: each.title for each in await search.titles(connection, tenant)}
        rows: list[Captioned] = []
        if pieces is not None:
            rows = await search.captions_with(connection, tenant, pieces, before, MOST_READ)
    titled = await asyncio.to_thread(_with_words, titles, query, before)
    by_video = {number: list(each) for number, each in groupby(rows, key=attrgetter("video_id"))}
    full = len(rows) == MOST_READ
    if full and len(by_video) > 1:  # its other languages may be behind
        del by_video[rows[-1].video_id]
    last = min(by_video) if full else 0
    candidates = sorted(by_video.keys() | {each for each in titled if each >= last}, reverse=True)

    async def look(video_id: int) -> LectureFound | None:
        said = [await _said(services.objects, each, query) for each in by_video.get(video_id, ())]
        said = [each for each in said if each.hits.places]
        if not said and video_id not in titled:
            return None
        return LectureFound(video_id, titles.get(video_id), video_id in titled, said)

    return await _page(candidates, look, limit, more=full)


async def documents(
    services: Services, tenant: int, query: Query, *, before: int | None, limit: int
) -> Page[DocumentFound]:
    """The newest first, before that of the number `before`. Raises the errors of the servers."""
    pieces = await _pieces(services, tenant, query)
    if pieces is None:
        return Page([], None)
    async with services.engine.connect() as connection:
        rows = await search.documents_with(connection, tenant, pieces, before, MOST_READ)
    by_seq = {row.seq: row for row in rows}

    async def look(seq: int) -> tuple[Read, Hits] | None:
        row = by_seq[seq]
        found = await _hits(services.objects, row.object_key, query, captions=False)
        return (row, found) if found.places else None

    page = await _page(list(by_seq), look, limit, more=len(rows) == MOST_READ)
    names = await _names(services, tenant, [row.id for row, _ in page.found])
    found = [
        DocumentFound(row.id, row.external_id, names.get(row.id), row.finished_at, at)
        for row, at in page.found
    ]
    return Page(found, page.next)


async def _page(
    candidates: Sequence[int], look: Callable[[int], Awaitable[T | None]], limit: int, *, more: bool
) -> Page[T]:
    """Up to `limit` of those that have the words, fewer where the texts are long. `more`: there are
    candidates behind these."""
    found: list[T] = []
    ends = time.monotonic() + LONGEST
    for first in range(0, len(candidates), AT_ONCE):
        some = candidates[first : first + AT_ONCE]
        for number, each in zip(some, await asyncio.gather(*map(look, some)), strict=True):
            if each is not None:
                found.append(each)
            if len(found) == limit:
                return Page(found, number if more or number != candidates[-1] else None)
        if time.monotonic() > ends and some[-1] != candidates[-1]:
            return Page(found, some[-1])
    return Page(found, candidates[-1] if more and candidates else None)


async def _pieces(services: Services, tenant: int, query: Query) -> set[int] | None:
    """None where the academy has no key, and so no index."""
    try:
        opener = await services.keys.opener(tenant)
    except (KeyDestroyed, NoKey):
        return None
    return blinded(opener, query.pieces())


def _with_words(titles: dict[int, str | None], query: Query, before: int | None) -> set[int]:
    return {
        number
        for number, title in titles.items()
        if title and (before is None or number < before) and query.find(folded(title))
    }


async def _said(objects: Objects, row: Captioned, query: Query) -> Said:
    found = await _hits(objects, row.object_key, query, captions=True)
    return Said(row.id, row.language, row.name, found)


async def _hits(objects: Objects, key: str, query: Query, *, captions: bool) -> Hits:
    async with _turns:
        return await asyncio.to_thread(_read, objects, key, query, captions=captions)


def _read(objects: Objects, key: str, query: Query, *, captions: bool) -> Hits:
    try:
        text = objects.get(key).decode()
    except (ObjectMissing, UnicodeDecodeError):
        return NOWHERE
    except (BotoCoreError, ClientError) as error:
        raise StoreAway from error
    return hits(list(cues(text) if captions else pages(text)), query, across=captions)


async def _names(services: Services, tenant: int, jobs: Sequence[UUID]) -> dict[UUID, str]:
    """Job → what its file was called."""
    async with services.engine.connect() as connection:
        about = await job_lists.about(connection, jobs)
    uploads = {each.upload_id: each.sealed_name for each in about if each.upload_id and each.sealed_name}
    names = await file_names.opened(services.keys, tenant, uploads)
    return {each.id: names[each.upload_id] for each in about if each.upload_id in names}

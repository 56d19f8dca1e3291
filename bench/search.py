"""How long a search takes among a thousand lectures with an hour of captions each, and how large what it is
found by is. The words are made up: as many, as long and as unevenly used as spoken ones. The peer is ILIKE
over the same texts in a table of Postgres, which says only which lectures have a word as it is spelt."""

import asyncio
import os
import random
import time
from datetime import timedelta
from itertools import accumulate
from statistics import median
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, text

from activities.indexing import AT_ONCE, IndexActivities
from api import search
from api.services import open_services
from clients.database.captions_models import Caption
from clients.database.models import Video
from clients.database.search import due
from clients.keys import TenantKeys
from clients.vault import Vault
from contracts.captions import Origin
from contracts.video import hls_root
from rules.captions.cues import Cue
from rules.captions.writing import WHOLE, files
from rules.search.finding import Query
from rules.search.passages import MOST_SHOWN, Passage, joined
from rules.search.words import pieces
from tests.lab import Lab, fresh_id

LECTURES, HOUR, CUES, WORDS = int(os.environ.get("LECTURES", "1000")), 3_600_000, 1_200, 7
PARTICLES = ("", "을", "를", "이", "가", "은", "는", "에서", "으로", "의", "까지", "입니다", "하는")
TIMES = 5


def vocabulary(of: random.Random) -> list[str]:
    """The most frequent first."""
    signs = [chr(0xAC00 + each) for each in of.sample(range(11_172), 900)]
    return ["".join(of.choices(signs, k=of.choice((1, 2, 2, 2, 3, 3, 4)))) for _ in range(20_000)]


def hour(of: random.Random, words: list[str], weights: list[float]) -> list[Cue]:
    length = HOUR // CUES
    said = of.choices(words, cum_weights=weights, k=CUES * WORDS)
    spoken = [word + of.choice(PARTICLES) for word in said]
    return [
        Cue(at * length, (at + 1) * length, " ".join(spoken[at * WORDS : (at + 1) * WORDS]))
        for at in range(CUES)
    ]


async def run(lab: Lab) -> dict[str, Any]:
    of, tenant = random.Random(83), fresh_id()
    await lab.service_key(tenant)
    words = vocabulary(of)
    weights = list(accumulate(1 / (place + 10) for place in range(len(words))))
    counts = []
    async with lab.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE plain (body text)"))
    for number in range(LECTURES):
        cues = hour(of, words, weights)
        if number % 50 == 0:
            counts.append(len(pieces(joined([Passage(each.start, each.text) for each in cues]))))
        await put(lab, tenant, number + 1, cues)
    keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    began, cpu = time.monotonic(), time.process_time()
    done = await IndexActivities(lab.engine, lab.objects, keys).run_once(timedelta(hours=1))
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    sizes = {
        name: await bytes_of(lab, f"{function}('{relation}')")
        for name, function, relation in (
            ("table", "pg_table_size", "search_texts"),
            ("index", "pg_relation_size", "ix_search_texts_pieces"),
        )
    }
    asked = {
        "common": words[20],
        "rare": words[15_000],
        "two words": f"{words[300]} {words[400]}",
        "long": max(words[1000:3000], key=len),
        "nothing": "힣힢힡",
    }
    async with open_services(lab.settings) as services:

        async def seconds(what: str) -> tuple[float, int]:
            query = Query(what)
            began = time.monotonic()
            found = await search.lectures(services, tenant, query, before=None, limit=20)
            return time.monotonic() - began, len(found.found)

        times = {}
        for name, what in asked.items():
            taken = [(*await seconds(what), await like(lab, what)) for _ in range(TIMES)]
            ours, plain = (round(1000 * median(each[of] for each in taken)) for of in (0, 2))
            times[name] = {"ms": ours, "found": taken[0][1], "ILIKE ms": plain}
        async with lab.engine.connect() as connection:
            began = time.monotonic()
            await due(connection, AT_ONCE)
            looked = time.monotonic() - began
    return {
        "lectures": LECTURES,
        "indexed": done,
        "pieces of an hour": round(median(counts)),
        "seconds": round(took, 1),
        "CPU ms each": round(1000 * cpu / LECTURES, 1),
        "MB": {name: round(size / 1e6, 1) for name, size in sizes.items()},
        "search": times,
        "ms to see that nothing is due": round(1000 * looked),
        "shown of each": MOST_SHOWN,
    }


async def put(lab: Lab, tenant: int, video: int, cues: list[Cue]) -> None:
    made = uuid4()
    prefix = f"{hls_root(tenant, video)}captions/{made.hex}/"
    whole = files(cues, HOUR)[WHOLE].encode()
    await asyncio.to_thread(lab.objects.put, prefix + WHOLE, whole, "text/vtt")
    async with lab.engine.begin() as connection:
        row = {"tenant_id": tenant, "id": video, "title": f"{video}강", "file_key": "x", "status": "READY"}
        await connection.execute(insert(Video).values(row))
        of_it = {"tenant_id": tenant, "video_id": video, "id": made, "language": "ko", "name": "한국어"}
        more = {"origin": Origin.UPLOADED, "prefix": prefix, "cues": len(cues)}
        await connection.execute(insert(Caption).values(of_it | more))
        body = {"body": joined([Passage(each.start, each.text) for each in cues])}
        await connection.execute(text("INSERT INTO plain VALUES (:body)"), body)


async def like(lab: Lab, words: str) -> float:
    began = time.monotonic()
    async with lab.engine.connect() as connection:
        every = " AND ".join(f"body ILIKE '%{word}%'" for word in words.split())  # no signs of SQL in them
        await connection.execute(text(f"SELECT count(*) FROM plain WHERE {every}"))
    return time.monotonic() - began


async def bytes_of(lab: Lab, what: str) -> int:
    async with lab.engine.connect() as connection:
        size: int = (await connection.execute(text(f"SELECT {what}"))).scalar_one()
    return size

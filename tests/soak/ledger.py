"""What became of it all, by producers, bucket and provider: nothing here believes a job's own word."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import m3u8
from sqlalchemy import Row, func, select

from clients.database.academy_models import Student
from clients.database.models import Job, Video
from contracts.jobs import FINAL_STATES
from contracts.video import hls_root
from tests.lab import Lab
from tests.messages import PRICES, Mail
from tests.soak.load import STUDENTS, Load, Request

# How each kind ends rightly: nobody has marked the sheets, and nobody has attended.
RIGHT = {
    "text": {("DONE", None)},
    "lecture": {("DONE", None)},
    "deleted lecture": {("DONE", None), ("CANCELLED", "CANCELLED"), ("CANCELLED", "VIDEO_DELETED")},
    "sheet": {("REVIEW_REQUIRED", None)},
    "roster": {("DONE", None)},
    "export": {("REJECTED_BAD_INPUT", "NOTHING_TO_EXPORT")},
}


@dataclass
class Count:
    """`wrong` names what is not as its job says."""

    offered: int = 0
    accepted: int = 0
    final: int = 0
    lost: int = 0
    twice: int = 0
    orphans: int = 0
    letters: int = 0
    credits: int = 0  # won that are missing, or too many
    wrong: list[str] = field(default_factory=list)


async def jobs(lab: Lab, load: Load) -> dict[int, list[Row[Any]]]:
    """The jobs of each tenant that has asked for something."""
    tenants = [each.tenant for each in load.offered]
    async with lab.engine.connect() as connection:
        rows = await connection.execute(select(Job).where(Job.tenant_id.in_(tenants)).order_by(Job.seq))
    found: dict[int, list[Row[Any]]] = {tenant: [] for tenant in tenants}
    for row in rows:
        found[row.tenant_id].append(row)
    return found


async def open_requests(lab: Lab, load: Load) -> int:
    """How many are not yet known, or not final."""
    known = await jobs(lab, load)
    return sum(
        max(0, each.jobs - sum(job.state in FINAL_STATES for job in known[each.tenant]))
        for each in load.offered
    )


async def count(lab: Lab, load: Load) -> Count:
    found, known = Count(), await jobs(lab, load)
    ledger = Counter(each["to"] for each in await asyncio.to_thread(load.mail.simulator.ledger))
    for request in load.offered:
        own = known[request.tenant]
        found.offered += request.jobs
        found.accepted += min(len(own), request.jobs)
        final = [job for job in own if job.state in FINAL_STATES]
        found.final += min(len(final), request.jobs)
        found.lost += max(0, request.jobs - len(final))
        found.twice += max(0, len(own) - request.jobs)
        for job in final:
            if (job.state, job.error_code) not in RIGHT[request.kind]:
                found.wrong.append(f"{request.kind} {job.external_id} ended {job.state} {job.error_code}")
        match request.kind:
            case "text":
                await _text(load.mail, request, ledger[request.phone], found)
            case "lecture" | "deleted lecture":
                await _lecture(lab, request, found)
            case "roster":
                async with lab.engine.connect() as connection:
                    where = Student.tenant_id == request.tenant
                    written = await connection.scalar(select(func.count()).select_from(Student).where(where))
                if written != STUDENTS:
                    found.wrong.append(f"roster of tenant {request.tenant} has {written} students")
    letters = [
        each
        for name in lab.settings.queue_names()
        for each in await asyncio.to_thread(lab.dead_letters, name)
    ]
    found.letters = len(letters)
    found.wrong += [f"a letter says {each.get('DeadLetterReason')}" for each in letters if not _poison(each)]
    return found


async def _text(mail: Mail, request: Request, sent: int, found: Count) -> None:
    found.lost += sent == 0
    found.twice += max(0, sent - 1)
    found.credits += abs(1_000_000 - PRICES["price_sms"] * min(sent, 1) - await mail.balance(request.tenant))


async def _lecture(lab: Lab, request: Request, found: Count) -> None:
    keys = set(await asyncio.to_thread(lab.keys, hls_root(request.tenant, request.tenant)))
    async with lab.engine.connect() as connection:
        query = select(Video).where(Video.tenant_id == request.tenant, Video.id == request.tenant)
        video = (await connection.execute(query)).one_or_none()
    if request.kind == "deleted lecture":
        left = [*keys, *await asyncio.to_thread(lab.keys, request.file_key)]
        found.orphans += len(left)
        return
    if video is None or video.status != "READY":
        found.wrong.append(f"lecture {request.tenant} is {video and video.status}")
        return
    published = await asyncio.to_thread(_reached, lab, video.hls_path)
    if missing := published - keys:
        found.wrong.append(f"lecture {request.tenant} lacks {len(missing)} objects")
    found.orphans += len([key for key in keys - published if not key.startswith(video.hls_prefix)])


def _reached(lab: Lab, master: str) -> set[str]:
    """Every object that a player would ask for."""
    found = {master}
    playlist = m3u8.loads(lab.objects.get(master).decode())
    for uri in (each.uri for each in (*playlist.playlists, *playlist.media, *playlist.iframe_playlists)):
        if not uri:
            continue
        key = urljoin(master, uri)
        media = m3u8.loads(lab.objects.get(key).decode())
        found.add(key)
        found |= {urljoin(key, each.uri) for each in media.segments}
        found |= {urljoin(key, each.uri) for each in media.segment_map if each.uri}
    return found


def _poison(letter: dict[str, Any]) -> bool:
    return len(letter["body"]) < 100

"""The text of a read document, page by page, and what a person corrects of it (decision 97)."""

import asyncio
import contextlib
from dataclasses import dataclass
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from api.problems import not_found, refused
from api.services import Services
from clients.database import documents
from clients.database.jobs import SealedJob
from clients.objects import ObjectMissing, Objects

TEXT = "text.txt"
BETWEEN = "\f"  # pages, as the task `ocr` writes them
LONGEST = 100_000  # letters of a page
_turns = asyncio.Semaphore(4)  # of all requests: a text may have 5 MiB


@dataclass(frozen=True)
class PageText:
    """`version` names the whole text that the page is of; `corrected`: a person has, this page."""

    text: str
    version: str
    corrected: bool


async def page_text(services: Services, job: SealedJob, number: int) -> PageText:
    """HTTPException 404 without such a page. Raises the store's errors."""
    key = _key(job)
    pages = await _pages(services.objects, key)
    if number > len(pages):
        raise not_found("page")
    return PageText(pages[number - 1].strip("\n"), _version(key), number in corrected(job))


async def correct(services: Services, job: SealedJob, number: int, text: str, version: str) -> PageText:
    """Put a page's text in place of what is there, if that is still of `version`. HTTPException 404, 409.
    Raises the store's errors."""
    key = _key(job)
    if _version(key) != version:
        raise _changed()
    pages = await _pages(services.objects, key)
    if number > len(pages):
        raise not_found("page")
    clean = text.replace("\r\n", "\n").replace(BETWEEN, "\n").replace("\0", "").strip("\n")
    pages[number - 1] = f"{'' if number == 1 else chr(10)}{clean}\n"
    new = f"{key.rpartition('/')[0]}/text-{uuid4().hex}.txt"
    content = BETWEEN.join(pages).encode(errors="replace")
    await asyncio.to_thread(services.objects.put, new, content, "text/plain; charset=utf-8")
    numbers = [*(each for each in corrected(job) if each != number), number]
    async with services.engine.begin() as connection:
        done = await documents.point(connection, job.tenant_id or 0, job.id, (key, new), numbers)
    if not done:
        with contextlib.suppress(BotoCoreError, ClientError):  # it goes with the others after its year
            await asyncio.to_thread(services.objects.delete, new)
        raise _changed()
    return PageText(clean, _version(new), corrected=True)


def corrected(job: SealedJob) -> list[int]:
    """Pages that a person has corrected."""
    found = (job.result or {}).get("corrected")
    return [each for each in found if isinstance(each, int)] if isinstance(found, list) else []


def _key(job: SealedJob) -> str:
    files = (job.result or {}).get("files")
    key = files.get(TEXT) if isinstance(files, dict) else None
    if (
        job.job_type != "ai.ocr"
        or not isinstance(key, str)
        or not key.startswith(f"tenants/{job.tenant_id}/")
    ):
        raise not_found("document")
    return key


def _version(key: str) -> str:
    return key.rpartition("/")[2]


def _changed() -> Exception:
    return refused(409, "text_changed", "Somebody else has corrected this document meanwhile: look again.")


async def _pages(objects: Objects, key: str) -> list[str]:
    async with _turns:
        try:
            content = await asyncio.to_thread(objects.get, key)
        except ObjectMissing:
            raise not_found("document") from None
    return content.decode(errors="replace").split(BETWEEN)

"""The file of an AI job: a key in the bucket, or a link of a legacy message that is fetched once."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from activities.ai.sandbox.task import BadInput
from activities.ai.storing import digest_of, source_prefix
from activities.host.threads import in_thread
from clients.download import DownloadGone, DownloadRefused, Downloads, DownloadTooLarge
from clients.objects import ObjectMissing, Objects
from contracts.errors import DOWNLOAD_REFUSED, FILE_EMPTY, FILE_MISSING, FILE_TOO_LARGE
from contracts.jobs import JobRef
from contracts.video import SourceRef


class Sources:
    def __init__(self, objects: Objects, downloads: Downloads, scratch: Path) -> None:
        self._objects = objects
        self._downloads = downloads
        self._scratch = scratch

    async def find(self, ref: JobRef, payload: Mapping[str, Any], max_bytes: int) -> tuple[SourceRef, str]:
        """The object that holds a job's file, and the suffix of its name (".pdf"). Raises BadInput."""
        key = payload.get("file_key") or await self._fetched(ref, str(payload["download_url"]), max_bytes)
        try:
            source = await in_thread(self._objects.head, key)
        except ObjectMissing:
            raise BadInput(FILE_MISSING) from None
        if source.size == 0:
            raise BadInput(FILE_EMPTY)
        if source.size > max_bytes:
            raise BadInput(FILE_TOO_LARGE, {"bytes": source.size, "limit": max_bytes})
        return source, PurePosixPath(key).suffix.lower()

    async def _fetched(self, ref: JobRef, url: str, max_bytes: int) -> str:
        """Put what a link leads to into the bucket, named by its content, and say so under the job's id:
        links expire, jobs go on."""
        prefix = source_prefix(ref.tenant_id or 0)
        fetched = f"{prefix}of-job/{ref.job_id}"
        with suppress(ObjectMissing):
            return (await in_thread(self._objects.get, fetched)).decode()
        suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
        with TemporaryDirectory(dir=self._scratch) as folder:
            file = Path(folder, "download")
            try:
                await self._downloads.fetch(url, file, max_bytes)
            except DownloadGone:
                raise BadInput(FILE_MISSING) from None
            except DownloadRefused:
                raise BadInput(DOWNLOAD_REFUSED) from None
            except DownloadTooLarge:
                raise BadInput(FILE_TOO_LARGE, {"limit": max_bytes}) from None
            key = f"{prefix}{await in_thread(digest_of, file)}{suffix}"
            await in_thread(self._objects.put, key, file, "application/octet-stream")
        await in_thread(self._objects.put, fetched, key.encode(), "text/plain")
        return key

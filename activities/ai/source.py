"""The file of an AI job: a key in the bucket, or a link of a legacy message that is fetched once."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from activities.ai.storing import source_prefix
from activities.ai.task import BadInput, Limits
from activities.threads import in_thread
from clients.download import DownloadRefused, Downloads, DownloadTooLarge
from clients.objects import ObjectMissing, Objects
from contracts.errors import DOWNLOAD_REFUSED, FILE_EMPTY, FILE_MISSING, FILE_TOO_LARGE
from contracts.video import SourceRef


class Sources:
    def __init__(self, objects: Objects, downloads: Downloads, scratch: Path) -> None:
        self._objects = objects
        self._downloads = downloads
        self._scratch = scratch

    async def find(self, tenant_id: int, payload: Mapping[str, Any], limits: Limits) -> tuple[SourceRef, str]:
        """The object that holds the file, and the suffix of its name (".pdf"). Raises BadInput."""
        key = payload.get("file_key") or await self._fetched(tenant_id, str(payload["download_url"]), limits)
        try:
            source = await in_thread(self._objects.head, key)
        except ObjectMissing:
            raise BadInput(FILE_MISSING) from None
        if source.size == 0:
            raise BadInput(FILE_EMPTY)
        if source.size > limits.source_bytes:
            raise BadInput(FILE_TOO_LARGE, {"bytes": source.size, "limit": limits.source_bytes})
        return source, PurePosixPath(key).suffix.lower()

    async def _fetched(self, tenant_id: int, url: str, limits: Limits) -> str:
        """Put what a link leads to into the bucket, named by its content: links expire, jobs go on."""
        suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
        with TemporaryDirectory(dir=self._scratch) as folder:
            file = Path(folder, "download")
            try:
                await self._downloads.fetch(url, file, limits.source_bytes)
            except DownloadRefused:
                raise BadInput(DOWNLOAD_REFUSED) from None
            except DownloadTooLarge:
                raise BadInput(FILE_TOO_LARGE, {"limit": limits.source_bytes}) from None
            data = file.read_bytes()
        key = f"{source_prefix(tenant_id)}{hashlib.sha256(data).hexdigest()}{suffix}"
        await in_thread(self._objects.put, key, data, "application/octet-stream")
        return key

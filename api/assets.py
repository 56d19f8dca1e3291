"""Static files of ours, compressed for who takes that.

Only these: they are the same for everybody. Pages hold persons' data beside what the address says, so their
length must not tell of their content (BREACH, CVE-2013-3587): decision 61.
"""

import asyncio
import gzip
from functools import lru_cache
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

TEXTS = (".js", ".css", ".svg")


class Assets(StaticFiles):
    """Ours are asked for again each time (304 by their ETag), so that all modules are of one version;
    what is of others has its version in its name."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = path.startswith("vendor/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        if not path.endswith(TEXTS):
            return response
        response.headers["Vary"] = "Accept-Encoding"
        if not isinstance(response, FileResponse) or not _takes_gzip(Headers(scope=scope)):
            return response
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        headers |= {"etag": f"W/{headers['etag']}", "content-encoding": "gzip"}
        file = Path(response.path)
        packed = await asyncio.to_thread(_packed, file, file.stat().st_mtime_ns)
        return Response(packed, response.status_code, headers)


def _takes_gzip(headers: Headers) -> bool:
    """https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3. Who asks for a part of the file gets that."""
    if "range" in headers:
        return False
    for part in headers.get("accept-encoding", "").split(","):
        name, _, quality = part.strip().partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


@lru_cache(maxsize=64)
def _packed(file: Path, _changed: int) -> bytes:
    """Once for each file, however many ask: the largest takes a third of a second."""
    return gzip.compress(file.read_bytes(), 9, mtime=0)

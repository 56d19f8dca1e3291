"""What model servers say, and where a job's finished parts are kept, for tests."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse, StreamingResponse

from clients.settings import Settings
from devstack.ports import LOOPBACK
from tests.integration.serving import bare_settings

KINDS = ("chat", "embedding", "transcription", "handwriting")


def at(port: int, **more: Any) -> Settings:
    servers = {f"model_{kind}_url": f"http://{LOOPBACK}:{port}" for kind in KINDS}
    names = {f"model_{kind}_name": f"the-{kind}" for kind in KINDS}
    return bare_settings(**servers | names | {"model_api_key": "canary-key"} | more)


def event(content: str | None = None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content} if content else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "out of memory"}}\n\n'


def stream(parts: Iterable[bytes]) -> Response:
    return StreamingResponse(iter(parts), media_type="text/event-stream")


def said(text: str) -> Response:
    return stream([event(text), event(finish="stop"), DONE])


def vectors(*found: Any) -> Response:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(found)]
    return JSONResponse({"object": "list", "data": data, "model": "x"})


class Kept(dict[str, dict[str, Any]]):
    """Finished parts in memory."""

    async def get(self, name: str) -> dict[str, Any] | None:  # type: ignore[override]
        return super().get(name)

    async def put(self, name: str, result: Mapping[str, Any]) -> None:
        self[name] = json.loads(json.dumps(result))


def nothing(_: float) -> None:
    return None


def content(done: Any, name: str) -> Any:
    file = done.files[name]
    return json.loads(file.read_bytes() if isinstance(file, Path) else file)

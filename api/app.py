"""The HTTP API: `python -m api`."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware

from api import links, problems, reference
from api.auth.access import admitted
from api.auth.callers import same_origin
from api.console.site import site
from api.middleware import requests
from api.middleware.audited import Audited
from api.middleware.door import Door
from api.middleware.idempotency import HEADER, Idempotency
from api.middleware.limits import Bodies
from api.middleware.polls import Polls
from api.middleware.requests import Requests
from api.problems import MEDIA_TYPE, Problem
from api.routes import (
    accounts,
    alimtalk,
    callbacks,
    captions,
    classes,
    codec,
    costs,
    documents,
    events,
    health,
    hls,
    jobs,
    legacy,
    media,
    messaging,
    playback,
    rosters,
    search,
    sessions,
    student_changes,
    students,
    text_templates,
    uploads,
    videos,
    webhooks,
)
from api.services import open_services
from clients.settings import load
from clients.settings_sources import Process


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    requests.configure_logging()
    async with open_services(load(Process.API)) as services:
        app.state.services = services
        yield


def _operation_id(route: APIRoute) -> str:
    """`jobs_cancel`: a method's name in generated clients. FastAPI's own ids have the path in them, and those
    of two paths that differ in a last `/` become one name there."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

app = FastAPI(
    title="Academy Workflows",
    version="1",
    docs_url=None,
    redoc_url=None,
    lifespan=lifespan,
    generate_unique_id_function=_operation_id,
    dependencies=[Depends(same_origin), Depends(admitted)],
    responses={"4XX": _PROBLEM, 503: _PROBLEM},
)
for each in (
    legacy,
    jobs,
    events,
    uploads,
    rosters,
    student_changes,
    captions,
    search,
    documents,
    videos,
    students,
    classes,
    sessions,
    media,
    messaging,
    alimtalk,
    text_templates,
    costs,
    webhooks,
    accounts,
    callbacks,
    codec,
    playback,
    hls,
    health,
):
    app.include_router(each.router, tags=[each.__name__.rpartition(".")[2]])
reference.install(app)
app.mount("/console", site(app))
problems.install(app)
# The last one is outermost. What the inner three raise is answered as what routes raise.
app.add_middleware(Audited)
app.add_middleware(Idempotency)
app.add_middleware(Bodies)
app.add_middleware(
    ExceptionMiddleware,
    handlers={kind: answer for kind, answer in app.exception_handlers.items() if kind is not Exception},
)
app.add_middleware(Requests)
served = Door(Polls(app), app)


def _openapi() -> dict[str, Any]:
    """Adds what holds for every operation: the schema of problems, `Idempotency-Key` of every POST, what it
    does in a few words; and links from what is made to what can be done with it."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        key = {"name": HEADER, "in": "header", "required": False, "description": "Asked twice, done once"}
        key["schema"] = {"type": "string", "maxLength": 100, "pattern": r"^[\x21-\x7e]+$"}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                operation["summary"] = re.split(r"[.:;]\s", f"{operation['description']} ")[0]
            if "post" in methods and path.startswith("/api/"):
                others = methods["post"].get("parameters", [])
                kept = [other for other in others if other["name"].lower() != HEADER.lower()]
                methods["post"]["parameters"] = [*kept, key]
        links.add(document["paths"])
        app.openapi_schema = document
    return app.openapi_schema


app.openapi = _openapi  # type: ignore[method-assign]

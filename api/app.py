"""The HTTP API: `uvicorn api.app:app`."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from api import accounts, callbacks, codec, messages, routes, webhooks
from api.console.site import site
from clients import progress, temporal
from clients.database import jobs
from clients.database.engine import create_engine
from clients.keys import KeyDestroyed, TenantKeys
from clients.progress import ProgressBoard
from clients.settings import Settings, load
from clients.vault import Vault
from intake.outcomes import INFRASTRUCTURE_ERRORS
from intake.submit import Submitter

PROBE_TIMEOUT = 3.0


@dataclass(frozen=True)
class Services:
    """What the routes use, built once."""

    engine: AsyncEngine
    temporal: Client
    board: ProgressBoard
    submitter: Submitter
    keys: TenantKeys
    settings: Settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load()
    engine = create_engine(settings, "api")
    # Lazy: reading goes on while Temporal is away.
    client = await temporal.connect(settings, engine, lazy=True)
    redis = progress.connect(settings)
    vault = Vault(settings.payload_keys.get_secret_value())
    submitter, keys = Submitter(engine, client, vault), TenantKeys(engine, vault)
    app.state.services = Services(engine, client, ProgressBoard(redis), submitter, keys, settings)
    yield
    await redis.aclose()
    await engine.dispose()


app = FastAPI(title="Academy Workflows", version="1", lifespan=lifespan)
app.include_router(routes.router)
app.include_router(messages.router)
app.include_router(webhooks.router)
app.include_router(accounts.router)
app.include_router(callbacks.router)
app.include_router(codec.router)
app.mount("/console", site(app))


@app.exception_handler(HTTPException)
async def problem(_request: Request, error: HTTPException) -> JSONResponse:
    """Old clients read `detail` and `code`."""
    body = error.detail if isinstance(error.detail, dict) else {"detail": error.detail, "code": "error"}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


@app.exception_handler(RequestValidationError)
async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """An id that cannot exist is an object that is not there; the rest names the fields, not their values."""
    places = [".".join(str(part) for part in problem["loc"]) for problem in error.errors()]
    if any(place.startswith("path.") for place in places):
        return JSONResponse({"detail": "There is no such object.", "code": "not_found"}, 404)
    return JSONResponse({"detail": f"Not valid: {', '.join(places)}.", "code": "invalid"}, 422)


@app.exception_handler(KeyDestroyed)
async def erased(_request: Request, _error: KeyDestroyed) -> JSONResponse:
    """The tenant's key is gone on purpose; `python -m clients.keys renew` makes a new one."""
    return JSONResponse({"detail": "The tenant's data was erased.", "code": "tenant_erased"}, 410)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@app.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Whether jobs can be accepted and started now; names what is missing."""
    services: Services = request.app.state.services
    missing = []
    try:
        async with asyncio.timeout(PROBE_TIMEOUT), services.engine.connect() as connection:
            await jobs.ping(connection)
    except INFRASTRUCTURE_ERRORS:
        missing.append("postgres")
    try:
        await services.temporal.service_client.check_health(timeout=timedelta(seconds=PROBE_TIMEOUT))
    except (*INFRASTRUCTURE_ERRORS, RuntimeError):
        missing.append("temporal")
    status = 503 if missing else 200
    return JSONResponse({"status": "missing" if missing else "ok", "missing": missing}, status)

"""The API's reference at `/docs`: Swagger UI from here, so that nobody else's script runs beside people's
tokens."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from api.assets import Assets
from api.policy import HEADERS

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).with_name("static")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Academy Workflows: API</title>
<link rel="icon" href="/console/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/static/vendor/swagger-ui-5.35.0.css">
<div id="reference"></div>
<script src="/docs/static/vendor/swagger-ui-5.35.0.min.js"></script>
<script type="module" src="/docs/static/reference.js"></script></html>"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/docs")
async def page() -> HTMLResponse:
    """Works out of `/openapi.json`, and asks nobody else."""
    return HTMLResponse(_PAGE, headers=HEADERS | {"Content-Security-Policy": _POLICY})


def install(app: FastAPI) -> None:
    app.mount("/docs/static", Assets(directory=STATIC))
    app.include_router(router)

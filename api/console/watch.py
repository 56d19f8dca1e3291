"""A student's player, for whoever has a link to a lecture. The page has nothing of anybody: its script asks
with the invitation that stands behind `#`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.console.guard import content_policy
from api.console.pages import page
from api.services import UseServices

router = APIRouter()


@router.get("/watch")
async def watch(request: Request, services: UseServices) -> Response:
    """Pages of `WATCH_FRAMES` may show it in a frame; there is nothing on it that a click could give away."""
    settings = services.settings
    answer = page(request, "watch.html")
    frames = [each.strip() for each in settings.watch_frames.split(",") if each.strip()]
    answer.headers["Content-Security-Policy"] = content_policy(settings.r2_endpoint_url, frames)
    answer.headers["Referrer-Policy"] = "no-referrer"
    if frames:
        answer.headers["X-Frame-Options"] = ""  # older than `frame-ancestors`, and knows no list
    return answer

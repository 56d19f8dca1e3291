"""What Prometheus reads. Labels are route templates, methods, statuses and job types: all of them few."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

REQUESTS = Counter("api_requests", "Requests answered", ("method", "route", "status"))
SECONDS = Histogram(
    "api_request_seconds",
    "Time to the last byte of an answer; streams of events are not counted",
    ("method", "route"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SUBMITS = Counter("api_submits", "Jobs accepted, joined or found again", ("job_type", "acceptance"))
LIMITED = Counter("api_limited", "Requests refused because their key asks too often")
REPLAYED = Counter("api_replayed", "POSTs answered as the first one with their Idempotency-Key was")
WATCHERS = Gauge("api_watchers", "Open streams of events")
WATCHED = Gauge("api_watched_jobs", "Jobs that those streams watch")

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

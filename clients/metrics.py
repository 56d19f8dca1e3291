"""What processes tell Prometheus of their own work; the API's own is in `api/metrics.py`.

Labels are names of ours (queues, job types, activities, codes) and statuses of HTTP: all of them few, and
none of a person, a tenant or a job. A counter is of its process and begins at 0 with it.
"""

import math
import shutil
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from clients.connections import TemporalPart
from contracts.jobs import SUCCEEDED, JobOutcome

_MINUTE, _HOUR = 60, 3600

PROCESS = Gauge("academy_process", "1 for what this process is", ("kind", "build"))
# With labels, so that who is no worker, or keeps no files, tells no 0 of it.
READY = Gauge("worker_ready", "Whether bridge or worker takes work", ("kind",))
HINDERED = Gauge("worker_hindered", "1 for each thing that keeps work from being taken", ("by",))
DISK_FREE = Gauge("worker_disk_free_bytes", "What is free where a worker keeps its files", ("kind",))

RECEIVED = Counter("bridge_received", "Messages received, again each time", ("queue",))
SETTLED = Counter(
    "bridge_settled",
    "Messages whose job is there: NEW was accepted, OPEN, FINAL and JOINED are duplicates",
    ("queue", "acceptance"),
)
BURIED = Counter("bridge_refused", "Messages that went to the dead letter queue", ("queue", "code"))
BINDINGS = Counter(
    "bridge_bindings",
    "Messages that name two academies or are signed, where a key is set: valid, or the code against it",
    ("queue", "found"),
)
BREAKER_OPEN = Gauge("bridge_breaker_open", "1 while Temporal or Postgres is taken for away")
OUTAGES = Counter("bridge_outages", "How often that began")

PROVIDER = Counter(
    "provider_requests",
    "Requests to the messages' provider: done, refused, throttled, unreachable or ambiguous; its HTTP status",
    ("operation", "outcome", "status"),
)
PROVIDER_SECONDS = Histogram(
    "provider_request_seconds",
    "Time until the provider has answered, or not",
    ("operation",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
MODELS = Counter("model_requests", "Requests to model servers: done, or the error's kind", ("outcome",))

FFMPEG_MEDIA = Counter("ffmpeg_media_seconds", "What ffmpeg made, in seconds that it plays", ("activity",))
FFMPEG_RUN = Counter("ffmpeg_run_seconds", "How long it ran for that", ("activity",))

ACTIVITIES = Counter("activity_attempts", "Attempts that ended, by error", ("activity", "outcome", "code"))
ENDED = Counter("jobs_ended", "Jobs that got their final state here", ("job_type", "state", "code"))
JOB_SECONDS = Histogram(
    "job_seconds",
    "From acceptance to the final state",
    ("job_type",),
    buckets=(1, 2.5, 5, 10, 30, _MINUTE, 300, 900, _HOUR, 4 * _HOUR, 24 * _HOUR),
)
PLAYABLE = Histogram(
    "lecture_playable_seconds",
    "From an upload's acceptance until it plays",
    buckets=(10, 30, _MINUTE, 120, 300, 600, 1200, _HOUR, 2 * _HOUR, 4 * _HOUR, 12 * _HOUR),
)
PLAYABLE_PER_MINUTE = Histogram(
    "lecture_playable_seconds_per_minute",
    "The same for each minute that it lasts, at least one: 60 is as long as it plays",
    buckets=(2.5, 5, 10, 20, 30, 60, 120, 300, 600),
)
DELIVERED = Histogram(
    "notice_delivered_seconds",
    "From acceptance, or the time it was to be sent at, until we know it is delivered; no advertising",
    buckets=(5, 10, 30, _MINUTE, 120, 300, 600, 1800, _HOUR, 4 * _HOUR, 24 * _HOUR),
)


def job_ended(job_type: str, outcome: JobOutcome, seconds: float) -> None:
    ENDED.labels(job_type, outcome.state, outcome.error_code or "").inc()
    JOB_SECONDS.labels(job_type).observe(seconds)
    if job_type == "video.encode" and outcome.state in SUCCEEDED:
        lasts = outcome.result.get("duration")
        minutes = max(lasts / _MINUTE if isinstance(lasts, int | float) else 1.0, 1.0)
        PLAYABLE.observe(seconds)
        PLAYABLE_PER_MINUTE.observe(seconds / minutes)


def show_process(kind: str, settings: TemporalPart) -> None:
    PROCESS.labels(kind, settings.build_id).set(1)


def show_disk(kind: str, folder: Path) -> None:
    """From now on, at each look; NaN where the folder cannot be asked, which hides no other metric."""

    def free() -> float:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return math.nan

    DISK_FREE.labels(kind).set_function(free)

"""What Prometheus reads. Labels are route templates, methods, statuses and job types: all of them few."""

import math
from collections.abc import Mapping, Sequence

from prometheus_client import Counter, Gauge, Histogram

from api.fleet import Waiting
from api.standing import Standing

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
REUSED = Counter("api_keys_reused", "Requests refused because their key was used for another one")
WATCHERS = Gauge("api_watchers", "Open streams of events")
WATCHED = Gauge("api_watched_jobs", "Jobs that those streams watch")
OPEN = Gauge("jobs_open", "Accepted jobs without a final state", ("job_type",))
OLDEST = Gauge("jobs_oldest_open_age_seconds", "Age of the oldest of them", ("job_type",))
UNSEEN = Gauge("jobs_unseen_seconds", "For how long the reconciler has not looked at one of them, at most")
RECONCILED = Gauge("reconciler_last_run_timestamp_seconds", "End of the reconciler's last whole run")

ORPHANS = Gauge("orphan_objects", "Objects that the daily sweep has found without an owner, and left")
ORPHANS_REMOVED = Gauge("orphan_objects_removed", "Those that it has removed, since ever")


BACKLOG = Gauge("task_queue_backlog", "Tasks that nobody has taken, approximately", ("task_queue", "kind"))
BACKLOG_AGE = Gauge("task_queue_backlog_age_seconds", "Age of the oldest of them", ("task_queue", "kind"))
POLLERS = Gauge("task_queue_pollers", "Who asked for them within minutes", ("task_queue", "kind"))
LOW = Gauge("tenants_low_on_credit", "Academies that send, and have credit for fewer than 100 texts")
DEAD = Gauge("dead_letters", "Messages in a dead letter queue, as SQS counts them", ("queue",))
UNCONFINED = Gauge("host_unconfined", "How much of the cage a worker's host lacks; 0: nothing", ("worker",))


def show_confinement(told: Mapping[str, Sequence[str]]) -> None:
    """Of all workers that were heard of lately."""
    UNCONFINED.clear()
    for worker, lacks in told.items():
        UNCONFINED.labels(worker).set(len(lacks))


def show_waiting(queues: Sequence[Waiting]) -> None:
    """Of every task queue; nothing while Temporal is away."""
    for gauge in (BACKLOG, BACKLOG_AGE, POLLERS):
        gauge.clear()
    for each in queues:
        BACKLOG.labels(each.queue, each.kind).set(each.backlog)
        BACKLOG_AGE.labels(each.queue, each.kind).set(each.age.total_seconds())
        POLLERS.labels(each.queue, each.kind).set(each.pollers)


def show_low(tenants: int | None) -> None:
    """None while Postgres is away."""
    LOW.set(math.nan if tenants is None else tenants)


def show_dead(letters: Mapping[str, int]) -> None:
    """By queue; nothing while SQS is away."""
    DEAD.clear()
    for queue, count in letters.items():
        DEAD.labels(queue).set(count)


def show(standing: Standing | None) -> None:
    """Set what is known; without it (a server is away) no number that is wrong."""
    OPEN.clear()
    OLDEST.clear()
    UNSEEN.set(standing.unseen.total_seconds() if standing else math.nan)
    ran = standing.reconciled_at if standing else None
    RECONCILED.set(ran.timestamp() if ran else math.nan)
    ORPHANS.set(standing.orphans.found if standing else math.nan)
    ORPHANS_REMOVED.set(standing.orphans.removed if standing else math.nan)
    if standing:
        for each in standing.open:
            OPEN.labels(each.job_type).set(each.count)
            OLDEST.labels(each.job_type).set((standing.at - each.oldest).total_seconds())

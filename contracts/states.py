"""The states of a job, apart from its models: programs that only name them start without loading pydantic."""

from enum import StrEnum


class JobState(StrEnum):
    """The states that Postgres knows. Live progress inside RUNNING is Temporal's and Redis's."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REJECTED_BAD_INPUT = "REJECTED_BAD_INPUT"
    REVIEW_REQUIRED = "REVIEW_REQUIRED"

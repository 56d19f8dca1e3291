"""How failures are retried: for as long as the activity's `schedule_to_close_timeout` allows, never by a
count. A count is used up by one cut-off worker, and a healthy job fails. What a retry cannot mend is raised
as non-retryable by the activity itself."""

from datetime import timedelta

from temporalio.common import RetryPolicy

INFRASTRUCTURE = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
)
"""A server, a worker or a disk is away for a while."""

PROVIDER = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
)
"""A provider on the internet: it says itself when to come again (`next_retry_delay`)."""

OPTIONAL = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=3,
)
"""What a job can do without must not hold it up: three tries and no more."""

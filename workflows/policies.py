"""How failures are retried: for as long as the activity's `schedule_to_close` allows, never by a count. A
count is used up by one cut-off worker, and a healthy job fails. What a retry cannot mend is raised as
non-retryable by the activity itself."""

from datetime import timedelta

from temporalio.common import RetryPolicy

from contracts.activities import Retry

POLICIES = {
    Retry.INFRASTRUCTURE: RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=30),
    ),
    Retry.PROVIDER: RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        backoff_coefficient=2,
        maximum_interval=timedelta(minutes=1),
    ),
    Retry.OPTIONAL: RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=3,
    ),
}

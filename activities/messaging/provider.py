"""What the provider's errors mean for an activity: when it is tried again, and that it was not done."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from clients.solapi import Ambiguous, NotUnderstood, Refused, Throttled, Unreachable
from contracts.errors import PROVIDER_NOT_UNDERSTOOD, PROVIDER_REFUSED, ErrorType

CREDENTIALS = ("InvalidAPIKey", "SignatureDoesNotMatch", "RequestTimeTooSkewed")
CREDENTIALS_DELAY = timedelta(minutes=1)  # somebody has to act
FINAL = frozenset({400, 404, 405, 413, 415, 422})  # of the request itself, not of a state of things
TRIES = 6  # half a minute of `Retry.PROVIDER`: the same answer so often is no accident


@contextmanager
def provider_errors(ends: bool = False) -> Iterator[None]:
    """Around calls that may be made again: every error becomes one that Temporal retries when it may help.

    429 and 5xx wait as long as the provider says (RFC 9110 `Retry-After`). `ends`: nothing is committed yet,
    so what the provider itself answers and we do not understand, or what it refuses as it is, ends the job
    after `TRIES`. Elsewhere, and where somebody else answers in its place, it is asked again for ever.
    """
    try:
        yield
    except NotUnderstood as error:
        if ends and tried():
            raise _final(PROVIDER_NOT_UNDERSTOOD, error.code) from None
        raise _again(ErrorType.PROVIDER_NOT_UNDERSTOOD, error.code, None) from None
    except Throttled as error:
        raise _again(ErrorType.PROVIDER_THROTTLED, error.code, timedelta(seconds=error.retry_after)) from None
    except Ambiguous as error:
        wait = timedelta(seconds=error.retry_after) if error.retry_after else None
        raise _again(ErrorType.PROVIDER_UNAVAILABLE, error.code, wait) from None
    except Unreachable as error:
        raise _again(ErrorType.PROVIDER_UNAVAILABLE, error.code, None) from None
    except Refused as error:
        if error.code in CREDENTIALS:
            raise _again(ErrorType.PROVIDER_REFUSES_CREDENTIALS, error.code, CREDENTIALS_DELAY) from None
        if ends and error.own and error.status in FINAL and tried():
            raise _final(PROVIDER_REFUSED, error.code) from None
        raise _again(ErrorType.PROVIDER_REFUSES, error.code, None) from None


def tried() -> bool:
    """Whether an answer has come so often that it is no accident."""
    return activity.in_activity() and activity.info().attempt >= TRIES


def refused(code: str) -> ApplicationError:
    """The provider will not take what it was given, and never has taken any of it."""
    return _final(PROVIDER_REFUSED, code)


def _final(reason: str, code: str) -> ApplicationError:
    return ApplicationError(f"Solapi: {code}", type=reason, non_retryable=True)


def _again(type_: ErrorType, code: str, wait: timedelta | None) -> ApplicationError:
    return ApplicationError(f"Solapi: {code}", type=type_, next_retry_delay=wait)

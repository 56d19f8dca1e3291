"""What the provider's errors mean for an activity: when it is tried again, and that it was not done."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from clients.solapi import Ambiguous, Refused, Throttled, Unreachable
from contracts.errors import ErrorType

CREDENTIALS = ("InvalidAPIKey", "SignatureDoesNotMatch", "RequestTimeTooSkewed")
CREDENTIALS_DELAY = timedelta(minutes=1)  # somebody has to act


@contextmanager
def provider_errors() -> Iterator[None]:
    """Around calls that may be made again: every error becomes one that Temporal retries when it may help.

    429 and 5xx wait as long as the provider says (RFC 9110 `Retry-After`).
    """
    try:
        yield
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
        raise _again(ErrorType.PROVIDER_REFUSES, error.code, None) from None


def _again(type_: ErrorType, code: str, wait: timedelta | None) -> ApplicationError:
    return ApplicationError(f"Solapi: {code}", type=type_, next_retry_delay=wait)

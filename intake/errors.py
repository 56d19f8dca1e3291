"""What an error of `start_workflow` or of Postgres means for the message in hand."""

import asyncio
from enum import Enum, auto

from psycopg import DataError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio.service import RPCError, RPCStatusCode

from clients.database.erasing import TenantErased, is_refused
from clients.keys import KeyDestroyed


class ErrorKind(Enum):
    """UNKNOWN: the call may have worked; keep the message and retry the same ID.
    BACK_OFF: the server asks for less. POISON: this message can never start.
    FATAL: our configuration is wrong; stop, and leave the messages in the queue."""

    UNKNOWN = auto()
    BACK_OFF = auto()
    POISON = auto()
    FATAL = auto()


class StartRefused(Exception):
    """Temporal takes other starts and not this one: the request is too large, or not well formed."""


class NamespaceDamaged(Exception):
    """Temporal takes no start of ours: the namespace lacks what every one of them needs."""


# Every status that a server can answer a start with (gRPC's list). Only what is proven to be the request's
# own fault refuses it: `Submitter.start_workflow` raises StartRefused then.
STATUSES = {
    RPCStatusCode.OK: ErrorKind.UNKNOWN,  # no error is one
    RPCStatusCode.CANCELLED: ErrorKind.UNKNOWN,
    RPCStatusCode.UNKNOWN: ErrorKind.UNKNOWN,
    RPCStatusCode.INVALID_ARGUMENT: ErrorKind.FATAL,  # not of a start, which finds out whose fault it is
    RPCStatusCode.DEADLINE_EXCEEDED: ErrorKind.UNKNOWN,
    RPCStatusCode.NOT_FOUND: ErrorKind.FATAL,  # the namespace
    RPCStatusCode.ALREADY_EXISTS: ErrorKind.UNKNOWN,  # of the workflow itself it is no error
    RPCStatusCode.PERMISSION_DENIED: ErrorKind.FATAL,
    RPCStatusCode.RESOURCE_EXHAUSTED: ErrorKind.BACK_OFF,
    RPCStatusCode.FAILED_PRECONDITION: ErrorKind.UNKNOWN,  # a namespace that moves to another cluster
    RPCStatusCode.ABORTED: ErrorKind.UNKNOWN,
    RPCStatusCode.OUT_OF_RANGE: ErrorKind.UNKNOWN,
    RPCStatusCode.UNIMPLEMENTED: ErrorKind.FATAL,  # not a Temporal, or one too old
    RPCStatusCode.INTERNAL: ErrorKind.UNKNOWN,
    RPCStatusCode.UNAVAILABLE: ErrorKind.UNKNOWN,
    RPCStatusCode.DATA_LOSS: ErrorKind.UNKNOWN,
    RPCStatusCode.UNAUTHENTICATED: ErrorKind.FATAL,
}

# SQLSTATE classes that speak of the values that were sent: data exception, integrity constraint violation
# (PostgreSQL, appendix A). All others speak of the server, the schema or our rights, and pass.
CONTENT = frozenset({"22", "23"})

INFRASTRUCTURE_ERRORS = (
    RPCError,
    DBAPIError,
    PoolTimeout,
    ConnectionError,
    TimeoutError,
    KeyDestroyed,
    TenantErased,
    StartRefused,
    NamespaceDamaged,
)
"""What accept and start may raise when a server is away or refuses, or the tenant is erased."""


def classify(error: BaseException) -> ErrorKind | None:
    """None for an error that waiting will not mend: a bug, or content that the database refuses."""
    match error:
        case StartRefused() | KeyDestroyed() | TenantErased():
            return ErrorKind.POISON
        case DBAPIError() if is_refused(error):
            return ErrorKind.POISON
        case NamespaceDamaged():
            return ErrorKind.FATAL
        case RPCError(status=status):
            return STATUSES[status]
        case TimeoutError() | asyncio.TimeoutError() | ConnectionError() | PoolTimeout():
            return ErrorKind.UNKNOWN
        case DBAPIError() if not is_content(error):
            return ErrorKind.UNKNOWN
    return None


def is_content(error: DBAPIError) -> bool:
    """Whether the database refuses the values, and not the one who sends them."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error.orig, DataError)  # psycopg itself: NUL in a text
    return not error.connection_invalidated and state[:2] in CONTENT


def is_unstorable(error: BaseException) -> bool:
    """Whether no database would ever take the values: NUL, half a surrogate pair, a number beyond its type.
    A COPY raises the driver's own errors."""
    if isinstance(error, UnicodeEncodeError):
        return error.reason == "surrogates not allowed"
    return isinstance(error.orig if isinstance(error, DBAPIError) else error, DataError)

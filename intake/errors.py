"""What an error of `start_workflow` or of Postgres means for the message in hand."""

import asyncio
from enum import Enum, auto

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio.service import RPCError, RPCStatusCode

from clients.keys import KeyDestroyed


class ErrorKind(Enum):
    """UNKNOWN: the call may have worked; keep the message and retry the same ID.
    BACK_OFF: the server asks for less. POISON: this message can never start.
    FATAL: our configuration is wrong; stop, and leave the messages in the queue."""

    UNKNOWN = auto()
    BACK_OFF = auto()
    POISON = auto()
    FATAL = auto()


_FATAL = {RPCStatusCode.NOT_FOUND, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}
_UNKNOWN = {
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
}


INFRASTRUCTURE_ERRORS = (RPCError, DBAPIError, PoolTimeout, ConnectionError, TimeoutError, KeyDestroyed)
"""What accept and start may raise when a server is away or refuses, or the tenant's key is gone."""


def classify(error: BaseException) -> ErrorKind | None:
    """None for an error that waiting will not mend: a bug, or content that the database refuses."""
    match error:
        case RPCError(status=RPCStatusCode.INVALID_ARGUMENT) | KeyDestroyed():
            return ErrorKind.POISON
        case RPCError(status=RPCStatusCode.RESOURCE_EXHAUSTED):
            # gRPC itself uses this code for a request above its size limit: waiting will not help.
            return ErrorKind.POISON if "larger than max" in error.message else ErrorKind.BACK_OFF
        case RPCError(status=status) if status in _FATAL:
            return ErrorKind.FATAL
        case RPCError(status=status) if status in _UNKNOWN:
            return ErrorKind.UNKNOWN
        case TimeoutError() | asyncio.TimeoutError() | ConnectionError() | PoolTimeout():
            return ErrorKind.UNKNOWN
        case DBAPIError() if _database_will_recover(error):
            return ErrorKind.UNKNOWN
    return None


def _database_will_recover(error: DBAPIError) -> bool:
    """Connection lost, shutting down, read-only, deadlock, out of connections or disk: SQLSTATE classes."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state[:2] in {"08", "53", "57", "58", "40", "55"} or state == "25006"

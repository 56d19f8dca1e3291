"""What an error means is decided for every answer of a server, and only content is a message's fault."""

import pytest
from sqlalchemy.exc import DBAPIError
from temporalio.service import RPCError, RPCStatusCode

from clients.keys import KeyDestroyed
from intake.errors import ErrorKind, NamespaceDamaged, StartRefused, classify, is_content


@pytest.mark.parametrize("status", RPCStatusCode)
def test_no_status_of_temporal_refuses_a_message(status: RPCStatusCode) -> None:
    kind = classify(RPCError("", status, b""))
    assert kind in (ErrorKind.UNKNOWN, ErrorKind.BACK_OFF, ErrorKind.FATAL)


@pytest.mark.parametrize(
    "status",
    [
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.UNIMPLEMENTED,
    ],
)
def test_a_wrong_configuration_stops(status: RPCStatusCode) -> None:
    """And leaves the messages where they are: the namespace was removed, or our key."""
    assert classify(RPCError("", status, b"")) is ErrorKind.FATAL


def test_what_is_proven_refuses_it() -> None:
    assert classify(StartRefused()) is classify(KeyDestroyed()) is ErrorKind.POISON
    assert classify(NamespaceDamaged()) is ErrorKind.FATAL


class Refused(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        self.sqlstate = sqlstate


CLASSES = """
    00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F
    40 42 44 53 54 55 57 58 72 F0 HV P0 XX
"""  # PostgreSQL, appendix A
STATES = [f"{each}000" for each in CLASSES.strip().replace("\n", " ").split(" ") if each]


@pytest.mark.parametrize("sqlstate", [None, *STATES, "42501", "42703", "42P01"])
def test_only_values_are_content(sqlstate: str | None) -> None:
    error = DBAPIError("INSERT", {}, Refused(sqlstate))
    content = sqlstate is not None and sqlstate[:2] in ("22", "23")
    assert is_content(error) is content
    assert classify(error) is (None if content else ErrorKind.UNKNOWN)

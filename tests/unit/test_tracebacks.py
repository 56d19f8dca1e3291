"""What is logged of an exception tells where and what, and quotes nobody."""

import json
import logging
import sys

import pytest
from botocore.exceptions import ClientError
from pythonjsonlogger.json import JsonFormatter
from sqlalchemy.exc import DataError

from api.middleware.requests import JsonLines as ApiLines
from clients.tracebacks import told
from workers.log import JsonLines

PERSON = "김하나 01012345678"


def failing() -> None:
    try:
        try:
            int(PERSON)
        except ValueError as error:
            raise DataError("INSERT", {"name": PERSON}, error) from error
    except DataError as error:
        raise ExceptionGroup(PERSON, [KeyError(PERSON), OSError(28, "No space left", PERSON)]) from error


@pytest.mark.parametrize("formatter", [JsonLines(), ApiLines("%(message)s")])
def test_kinds_and_places_are_told_and_no_texts(formatter: JsonFormatter | JsonLines) -> None:
    try:
        failing()
    except ExceptionGroup:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", None, sys.exc_info())
    line = formatter.format(record)
    assert "김하나" not in json.dumps(json.loads(line), ensure_ascii=False) and "0101234" not in line
    for said in (
        "ExceptionGroup",
        "KeyError",
        "OSError: No space left",
        "DataError",
        "ValueError",
        "failing",
    ):
        assert said in line


def test_a_servers_own_words_are_kept() -> None:
    error = ClientError({"Error": {"Code": "503", "Message": "Slow Down"}}, "GetQueueUrl")
    assert "GetQueueUrl operation: Slow Down" in told(error)


def test_an_error_that_caused_itself_is_told_once() -> None:
    """Raised again where what it had caused is handled: whoever follows causes goes round for ever."""
    with pytest.raises(OSError) as first:
        try:
            raise OSError(5, "broken")
        except OSError as error:
            try:
                raise KeyError(PERSON) from error
            except KeyError:
                raise error  # noqa: B904
    assert [kind for kind in ("OSError", "KeyError") if told(first.value).count(kind) == 1] == [
        "OSError",
        "KeyError",
    ]

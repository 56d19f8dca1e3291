"""Structured logs: one JSON object a line on stderr. Fields of people never enter a log record."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from temporalio import activity, workflow

from clients.tracebacks import told

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


# What is worked on here: job, workflow, tenant, activity and attempt, as far as they are known.
_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))
# The SDK's own loggers put these into a record, as one field.
_OF_THE_SDK = {
    "activity_type": "activity",
    "workflow_id": "workflow",
    "workflow_type": "workflow_type",
    "attempt": "attempt",
}


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Every line that is logged within, here and in threads that are awaited, has these fields."""
    token = _ABOUT.set({**_ABOUT.get(), **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        # That an activity has failed is logged when `about` has ended.
        sdk = extra.pop("temporal_activity", {}) | extra.pop("temporal_workflow", {})
        known = {ours: sdk[name] for name, ours in _OF_THE_SDK.items() if name in sdk}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = told(record.exc_info[1])
        return json.dumps({**line, **known, **_ABOUT.get(), **extra}, default=str, ensure_ascii=False)


def configure() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # In fields of their own, not at the end of the sentence.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    # Their INFO lines name request URLs, which may be signed.
    for noisy in ("httpx", "botocore", "boto3", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

"""Commands that people type in a shell, and the audit's records of them.

What changes anything, or looks at data, does nothing before Postgres has its record: who, from which host,
what, on whose data. A second one says how it ended.
"""

import os
import pwd
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from clients.database import audit
from clients.database.audit import NewRecord
from clients.database.engine import create_engine
from clients.settings import Settings

BEGUN, DONE, LEFT, NOBODY, FAILED = 102, 200, 409, 404, 500  # as HTTP has them
_NAME = re.compile(r"[\w.@+-]{1,100}")


class Command(StrEnum):
    """As the audit calls what was typed. One that only looks has no sign of what it would have done."""

    ADD_TENANT = "shell: tenant add"
    CREATE_SERVICE_KEY = "shell: key create"
    REVOKE_SERVICE_KEY = "shell: key revoke"
    LIST_SERVICE_KEYS = "shell: key list"
    REWRAP_KEYS = "shell: data-key rewrap"
    DESTROY_KEY = "shell: data-key destroy"
    RENEW_KEY = "shell: data-key renew"
    ISSUE_STAFF_TOKEN = "shell: staff token"  # noqa: S105 - what was typed, and no token
    SHOW_ACCOUNT = "shell: account show"
    SHOW_ACCOUNT_NUMBERS = "shell: account show --numbers"
    SET_ACCOUNT = "shell: account set"
    ADD_CREDIT = "shell: credit add"
    SHOW_RESULT = "shell: job show --result"
    CANCEL_JOB = "shell: job cancel"
    RETRY_JOB = "shell: job retry"
    PAUSE_QUEUE = "shell: queue pause"
    RESUME_QUEUE = "shell: queue resume"
    PAUSE_SCHEDULE = "shell: schedule pause"
    RESUME_SCHEDULE = "shell: schedule resume"
    RUN_SCHEDULE = "shell: schedule run"
    SEND_BACK = "shell: letters send-back"
    DISCARD = "shell: letters discard"
    LOOK_AT_TENANT = "shell: erase tenant"
    ERASE_TENANT = "shell: erase tenant --for-ever"
    LOOK_FOR_PERSON = "shell: erase person"
    ERASE_PERSON = "shell: erase person --for-ever"
    AFTER_RESTORE = "shell: after-restore"
    REPAIR = "shell: after-restore --repair"
    LOOK_AT_RETENTION = "shell: retention"
    ENFORCE_RETENTION = "shell: retention --enforce"


@dataclass(frozen=True)
class Operator:
    """`name`: the user of this machine, or who said to be asking; `user`: always the former."""

    name: str
    user: str


@dataclass
class Act:
    """What is being done. `about` and `status` go into the record of how it ended."""

    engine: AsyncEngine
    about: dict[str, int | str] = field(default_factory=dict)
    status: int = DONE


def who(name: str | None) -> Operator:
    """Who types: the user of this machine, or whom they name. Raises ValueError for what is no name."""
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError("letters, digits and . @ + - _, at most 100")
    user = _user()
    return Operator(name or user, user)


def number(text: str) -> int:
    """Of a row or a tenant. Raises ValueError for what none can have."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text, re.ASCII):
        raise ValueError("a number of 1 to 18 digits")
    return int(text)


@asynccontextmanager
async def acting(
    settings: Settings, operator: Operator, command: Command, tenant_id: int | None, **about: int | str
) -> AsyncIterator[Act]:
    """Around what a command does, looking included. SystemExit where the audit does not take its record:
    before it, nothing was done."""
    engine = create_engine(settings, "operator")
    act, asked = Act(engine, about), uuid4().hex
    if operator.name != operator.user:
        about["user"] = operator.user

    async def record(status: int) -> None:
        row = NewRecord(
            caller=f"shell {operator.name}",
            tenant_id=tenant_id,
            operation=command,
            about=act.about,
            status=status,
            address=socket.gethostname()[:64],
            request_id=asked,
        )
        async with engine.begin() as connection:
            await audit.add(connection, [row])

    try:
        try:
            await record(BEGUN)
        except SQLAlchemyError as error:
            raise SystemExit(
                f"nothing was done: the audit cannot be written: {type(error).__name__}"
            ) from None
        try:
            yield act
        except BaseException:
            act.status = act.status if act.status != DONE else FAILED
            raise
        finally:
            await record(act.status)
    finally:
        await engine.dispose()


def _user() -> str:
    """By the kernel, not by what the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's
        return f"uid {os.getuid()}"

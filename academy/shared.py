"""What all commands share: who asks, how an answer is shown, and what an error of a server becomes.

An end with 0: done; 1: refused, or something is left over; 2: typed wrongly, or a setting is.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import HTTPException
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from clients import operators, temporal
from clients.database.erasing import TenantErased, is_refused
from clients.keys import KeyDestroyed
from clients.operators import Act, Operator
from clients.settings import Settings
from clients.vault import VaultError
from contracts.rights import Right, rights_of
from intake.errors import INFRASTRUCTURE_ERRORS

T = TypeVar("T")
Row = Mapping[str, object]
OPERATOR: ContextVar[Operator] = ContextVar("operator")  # who types: set before any command runs


def group(text: str) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)


def checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """A parser whose ValueError says what was wanted; what was typed is not repeated."""

    def parse(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


def _rights(words: str) -> frozenset[Right]:
    try:
        found = rights_of(words)
    except ValueError:
        found = frozenset()
    if not found:
        raise ValueError(f"some of {','.join(Right)}, with commas between them")
    return found


Tenant = Annotated[
    int, typer.Argument(parser=checked(operators.number), metavar="TENANT", help="The academy's number.")
]
OfTenant = Annotated[
    int | None,
    typer.Option(parser=checked(operators.number), metavar="TENANT", help="Only of this academy."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON: one document, or one line for each of a list.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]
RIGHTS = checked(_rights)


def run(work: Coroutine[Any, Any, T]) -> T:
    """SystemExit with a sentence for what a server refuses, or where one does not answer."""
    try:
        return asyncio.run(work)
    except (TenantErased, KeyDestroyed):
        raise SystemExit("the tenant was erased") from None
    except VaultError:
        raise SystemExit("PAYLOAD_KEYS opens not what is stored") from None
    except (*INFRASTRUCTURE_ERRORS, BotoCoreError, ClientError) as error:
        if isinstance(error, DBAPIError) and is_refused(error):
            raise SystemExit("the tenant was erased") from None
        raise SystemExit(
            f"a server that is needed does not answer, or refuses: {type(error).__name__}"
        ) from None


async def connected(settings: Settings, engine: AsyncEngine) -> Client:
    """SystemExit while Temporal does not answer."""
    try:
        return await temporal.connect(settings, engine)
    except RuntimeError:
        raise SystemExit("Temporal does not answer") from None


@contextmanager
def refusals(act: Act) -> Iterator[None]:
    """What the API's functions refuse ends the command with their sentence, and the record with their
    status."""
    try:
        yield
    except HTTPException as error:
        act.status = error.status_code
        detail = error.detail
        raise SystemExit(str(detail["detail"] if isinstance(detail, dict) else detail)) from None


def show(row: Row, as_json: bool) -> None:
    """One document, or a line for each of its fields."""
    if as_json:
        return _write(to_json(row).decode())
    width = max(map(len, row))
    for name, value in row.items():
        _write(f"{name:<{width}}  {_text(value)}")


def show_each(rows: Sequence[Row], as_json: bool) -> None:
    """A line of JSON for each, or a table. All have the same fields."""
    if as_json or not rows:
        for row in rows:
            _write(to_json(row).decode())
        return
    lines = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        _write("  ".join(f"{word:<{width}}" for word, width in zip(line, widths, strict=True)).rstrip())


def say(text: str, as_json: bool, **fields: object) -> None:
    """A sentence, or its fields as a document."""
    _write(to_json(fields).decode() if as_json else text)


def _text(value: object) -> str:
    """On one line, without what a terminal would take for orders."""
    if value is None:
        return "-"
    plain = isinstance(value, str | int | float)
    words = str(value) if plain else to_json(value).decode().strip('"')
    return "".join(each if each.isprintable() else "?" for each in words)


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

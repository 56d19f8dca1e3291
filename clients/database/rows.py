"""What a query returns has a type: a frozen dataclass whose fields are the columns that are read.

`select(*columns(Job, JobRow))` reads what `JobRow` has, and `JobRow` is made of it by name: neither changes
without the other. `tests/unit/test_rows.py` compares the fields' types with the table's. Where a query has a
few columns, typed tuples are unpacked instead: a `Row` takes any attribute for granted.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from clients.database.models import Base

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

READ: set[tuple[type[Base], type["DataclassInstance"]]] = set()
"""Each table with the rows that are read of it."""


def columns(table: type[Base], row: type["DataclassInstance"]) -> list[InstrumentedAttribute[Any]]:
    """What `row` has of `table`. Raises AttributeError for a field that is no column: call it at import."""
    READ.add((table, row))
    return [getattr(table, field.name) for field in fields(row)]


def made(row: type[R], found: RowMapping, prefix: str = "") -> R:
    """A row of a result, which may have columns beside it. `prefix`: of its columns' labels."""
    return row(**{field.name: found[prefix + field.name] for field in fields(row)})


async def one(connection: AsyncConnection, query: Executable, row: type[R]) -> R:
    return made(row, (await connection.execute(query)).mappings().one())


async def one_or_none(connection: AsyncConnection, query: Executable, row: type[R]) -> R | None:
    found = (await connection.execute(query)).mappings().one_or_none()
    return made(row, found) if found else None


async def many(connection: AsyncConnection, query: Executable, row: type[R]) -> list[R]:
    return [made(row, found) for found in (await connection.execute(query)).mappings()]

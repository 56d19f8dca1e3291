"""What queries return has the types of the tables, and queries stand beside the tables."""

import ast
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import clients.database
from clients.database.models import Base, Job
from clients.database.rows import READ, columns

for module in pkgutil.iter_modules(clients.database.__path__):
    import_module(f"clients.database.{module.name}")

ROWS = sorted(READ, key=lambda pair: (pair[1].__module__, pair[1].__name__))
ROOT = Path(__file__).parents[2]
SHIPPED = ("contracts", "rules", "workflows", "clients", "intake", "activities", "workers", "api", "academy")
# To hold a connection, to know an error, to say where the database is: no SQL.
NO_SQL = {"sqlalchemy": {"URL"}, "sqlalchemy.ext.asyncio": {"AsyncConnection", "AsyncEngine"}}


def wrong(table: type[Base], row: type[Any]) -> list[str]:
    """The fields of a row that have another type than the table's column, nullability included."""
    types, columns = get_type_hints(row), get_type_hints(table)
    return [each.name for each in fields(row) if get_args(columns[each.name]) != (types[each.name],)]


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[row.__name__ for _, row in ROWS])
def test_fields_have_the_types_of_their_columns(table: type[Base], row: type[Any]) -> None:
    assert wrong(table, row) == []


def test_a_field_that_drifts_is_found() -> None:
    @dataclass(frozen=True)
    class Drifted:
        id: int
        tenant_id: int  # None for jobs without a tenant
        workflow_id: str

    @dataclass(frozen=True)
    class Misspelt:
        statee: str

    assert wrong(Job, Drifted) == ["id", "tenant_id"]
    with pytest.raises(AttributeError, match="statee"):
        columns(Job, Misspelt)
    READ.remove((Job, Misspelt))


def sql_in(source: str) -> Iterator[str]:
    """What a module imports of SQLAlchemy to write statements with."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name.split(".")[0] == "sqlalchemy")
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "sqlalchemy":
                if module != "sqlalchemy.exc":
                    yield from (each.name for each in names if each.name not in NO_SQL.get(module, ()))


def test_sql_stands_in_clients_database_only() -> None:
    assert list(sql_in("from sqlalchemy import URL, Row, select")) == ["Row", "select"]
    elsewhere = [
        f"{path.relative_to(ROOT)}: {name}"
        for package in SHIPPED
        for path in sorted((ROOT / package).rglob("*.py"))
        if ROOT / "clients" / "database" not in path.parents
        for name in sql_in(path.read_text())
    ]
    assert elsewhere == []

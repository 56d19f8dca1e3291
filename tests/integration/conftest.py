"""What several of these files need: a database of its own, and a client of the provider."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from clients.settings import Settings
from clients.solapi import Solapi
from devstack.stack import Stack
from tests.messages import Mail


def admin(settings: Settings, statement: str, database: str = "postgres") -> list[Any]:
    url = settings.database_url().set(drivername="postgresql", database=database)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        answer = connection.execute(statement)
        return answer.fetchall() if answer.description else []


@pytest.fixture
def scratch(stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database, and the environment that names it."""
    name = f"scratch_{uuid4().hex[:8]}"
    admin(settings, f"CREATE DATABASE {name}")
    for variable, value in (stack.environment() | {"DB_NAME": name}).items():
        monkeypatch.setenv(variable, value)
    yield name
    admin(settings, f"DROP DATABASE {name}")


async def no_turn() -> None:
    return None


@pytest.fixture
async def solapi(mail: Mail) -> AsyncIterator[Solapi]:
    solapi = Solapi(mail.lab.settings, no_turn)
    yield solapi
    await solapi.aclose()

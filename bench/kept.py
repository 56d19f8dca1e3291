"""The fair peer of a sending: the official SDK's one call, and what makes it something to rely on.

One row for each recipient by COPY before; the provider's ids and a row of a ledger after. Who was killed in
between finds the rows that have no id yet, and would go on with those.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from solapi import SolapiMessageService
from solapi.model import RequestMessage
from solapi.model.request.send_message_request import SendRequestConfig

from clients.settings import Settings

_TABLES = """
    CREATE SCHEMA IF NOT EXISTS bench;
    CREATE TABLE IF NOT EXISTS bench.recipients (job int, position int, phone text, text text,
        provider_id text, PRIMARY KEY (job, position));
    CREATE TABLE IF NOT EXISTS bench.ledger (job int, position int, amount int, PRIMARY KEY (job, position));
    CREATE TEMP TABLE IF NOT EXISTS ids (position int, provider_id text)"""
_TAKE = """UPDATE bench.recipients r SET provider_id = ids.provider_id FROM ids
    WHERE r.job = %(job)s AND r.position = ids.position"""
_CHARGE = "INSERT INTO bench.ledger SELECT %(job)s, position, -20 FROM ids"


def service(settings: Settings) -> SolapiMessageService:
    """The SDK, against the simulator."""
    secret = settings.solapi_api_secret
    assert settings.solapi_api_key and secret
    made = SolapiMessageService(settings.solapi_api_key, secret.get_secret_value())
    made.base_url = settings.solapi_base_url
    return made


@contextmanager
def connected(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        host=settings.db_host,
        port=settings.db_port,
        dbname=settings.db_name,
        user=settings.db_user,
        password=settings.db_password.get_secret_value(),
    ) as connection:
        connection.execute(_TABLES)
        connection.commit()
        yield connection


def send(
    connection: psycopg.Connection[Any],
    solapi: SolapiMessageService,
    job: int,
    messages: Sequence[tuple[str, str]],
    sender: str,
) -> int:
    """Send (phone, text) to each, written down before and after; returns how many the provider took."""
    copy = "COPY bench.recipients (job, position, phone, text) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copy) as rows:
        for position, (phone, text) in enumerate(messages):
            rows.write_row((job, position, phone, text))
    connection.commit()
    requests = [RequestMessage(from_=sender, to=phone, text=text) for phone, text in messages]
    config = SendRequestConfig(allow_duplicates=True, show_message_list=True)
    answer: Any = solapi.send(requests, config)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE ids")
        with cursor.copy("COPY ids FROM STDIN") as rows:
            for position, each in enumerate(answer.message_list):
                rows.write_row((position, each.message_id))
        cursor.execute(_TAKE, {"job": job})
        cursor.execute(_CHARGE, {"job": job})
    connection.commit()
    return int(answer.group_info.count.registered_success)

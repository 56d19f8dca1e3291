"""How servers are reached: encrypted, and none but the right ones; a primary that was one is left."""

import inspect
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

from clients import progress, temporal
from clients.database.engine import LIMITS, create_engine
from clients.settings import Settings
from contracts.progress import video_progress
from devstack import programs
from devstack.stack import Stack
from tests.lab import unused_port
from tests.tls import Authority, Front, Signed


@pytest.fixture(autouse=True)
def certificates_of_each_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests share one context for all clients, and with it whom they trust (`tests/conftest.py`)."""
    monkeypatch.setattr(ssl, "create_default_context", inspect.unwrap(ssl.create_default_context))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Signed:
    return authority.sign("server", "127.0.0.1")


def changed(settings: Settings, **values: Any) -> Settings:
    return Settings.model_validate(settings.model_dump() | values)


async def redis_answers(settings: Settings) -> bool:
    server = progress.connect(settings)
    try:
        return bool(await server.ping())
    finally:
        await server.aclose()


async def test_redis_is_reached_by_tls_with_a_known_authority(
    settings: Settings, server: Signed, authority: Authority, stranger: Authority
) -> None:
    async with Front(settings.redis_port, server) as front:
        behind = changed(settings, redis_port=front.port, redis_tls=True, redis_tls_ca=authority.ca)
        assert await redis_answers(behind)
        for wrong in (
            {"redis_tls_ca": stranger.ca},
            {"redis_tls_ca": None},  # the machine's own authorities
            {"redis_host": "localhost"},  # the certificate is another host's
            {"redis_tls": False, "redis_tls_ca": None},
            {"redis_password": "wrong"},
        ):
            with pytest.raises((RedisError, OSError)):
                await redis_answers(changed(behind, **wrong))


@pytest.fixture
def cluster(tmp_path: Path, settings: Settings) -> Iterator[int]:
    """The port of a cluster of one, which refuses what a cluster refuses."""
    port, bus = unused_port(), unused_port()
    password = settings.redis_password.get_secret_value()  # type: ignore[union-attr]
    configuration = tmp_path / "valkey.conf"
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\ncluster-port {bus}\ncluster-enabled yes\nrequirepass {password}\n"
    )
    process = subprocess.Popen([programs.valkey(), configuration], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=password, retry=Retry(ConstantBackoff(0.1), 100)) as node:
            node.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
            while node.cluster("INFO")["cluster_state"] != "ok":
                time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


async def test_progress_is_shown_by_a_cluster(settings: Settings, cluster: int) -> None:
    """Keys of one call lie in different slots."""
    server = progress.connect(changed(settings, redis_port=cluster, redis_cluster=True))
    board, one, two = progress.ProgressBoard(server), uuid4(), uuid4()
    shown = video_progress("encode", 0.5)
    await board.show_video(7, 42, one, shown)
    await board.show_job(7, two, shown)
    assert await board.add_frames(one, 1, 100) + await board.add_frames(one, 2, 50) == 250
    keys = [progress.video_key(7, 42), progress.job_key(7, one), progress.job_key(7, two)]
    assert await board.read_many([*keys, "none"]) == [shown] * 3 + [None]
    assert {key async for key in server.scan_iter(match="tenant:7:*")} == set(keys)
    await server.delete(*keys)
    assert await board.read_many(keys) == [None] * 3
    await server.aclose()


async def database_answers(settings: Settings) -> str:
    engine = create_engine(settings, "test")
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(text("SHOW transaction_read_only")) == "off"
            return str(await connection.scalar(text("SHOW statement_timeout")))
    finally:
        await engine.dispose()


async def test_postgres_is_reached_by_tls_with_a_known_authority(
    settings: Settings, server: Signed, authority: Authority, stranger: Authority
) -> None:
    async with Front(settings.db_port, server, postgres=True) as front:
        how = {"db_port": front.port, "db_sslmode": "verify-full", "db_sslrootcert": authority.ca}
        behind = changed(settings, **how)
        assert await database_answers(behind) == f"{LIMITS['statement_timeout'] // 1000}s"
        for wrong in (
            {"db_sslrootcert": stranger.ca},
            {"db_host": "localhost"},
            {"db_sslmode": "disable", "db_sslrootcert": None},
            {"db_password": "wrong"},
        ):
            with pytest.raises(DBAPIError):
                await database_answers(changed(behind, **wrong))
        assert await database_answers(changed(behind, db_host="localhost", db_sslmode="verify-ca"))


async def test_each_connection_signs_in_with_a_token_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, server: Signed, authority: Authority
) -> None:
    """The server knows no token of AWS: what arrives is its password, handed out by the one who signs."""
    asked: list[dict[str, Any]] = []

    class Rds:
        def generate_db_auth_token(self, **request: Any) -> str:
            asked.append(request)
            return settings.db_password.get_secret_value()

    monkeypatch.setattr("boto3.client", lambda *_, **__: Rds())
    async with Front(settings.db_port, server, postgres=True) as front:
        how = {"db_auth": "iam", "db_password": "", "db_port": front.port, "db_sslmode": "verify-full"}
        engine = create_engine(changed(settings, **how, db_sslrootcert=authority.ca), "test")
        async with engine.connect(), engine.connect():
            pass
        await engine.dispose()
    assert asked == [{"DBHostname": settings.db_host, "Port": front.port, "DBUsername": settings.db_user}] * 2


async def temporal_answers(settings: Settings) -> str:
    engine = create_engine(settings, "test")
    try:
        client = await temporal.connect(settings, engine)
        answer = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        return answer.server_version
    finally:
        await engine.dispose()


async def test_temporal_is_reached_by_tls_from_both_sides(
    stack: Stack, settings: Settings, server: Signed, authority: Authority, stranger: Authority
) -> None:
    own, others = authority.sign("worker"), stranger.sign("intruder")

    def shown(signed: Signed) -> dict[str, str]:
        return {
            "temporal_tls_client_cert_data": signed.certificate.read_text(),
            "temporal_tls_client_key_data": signed.key.read_text(),
        }

    async with Front(stack.ports.temporal, server, clients=authority.ca) as front:
        address = {"temporal_address": f"127.0.0.1:{front.port}", "temporal_tls": True}
        trusting = {"temporal_tls_server_ca_cert_data": authority.ca.read_text()}
        assert await temporal_answers(changed(settings, **address, **trusting, **shown(own)))
        for wrong in (
            {**address, **trusting},  # shows nothing
            {**address, **trusting, **shown(others)},
            {**address, **shown(own)},  # trusts the machine's authorities only
            {**address, **trusting, **shown(own), "temporal_tls_server_name": "elsewhere"},
            {"temporal_address": address["temporal_address"]},
        ):
            with pytest.raises(RuntimeError):
                await temporal_answers(changed(settings, **wrong))


@pytest.fixture
def read_only(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A database that the test may make refuse writes, as a primary does that was demoted."""
    url = settings.database_url().set(drivername="postgresql", query={})
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute('CREATE DATABASE "demoted"')
        try:
            yield connection
        finally:
            connection.execute('DROP DATABASE "demoted" WITH (FORCE)')


async def test_a_primary_that_takes_no_writes_any_more_is_left(
    settings: Settings, read_only: psycopg.Connection[Any]
) -> None:
    """It answers pings all the same; its first refusal drops the pool, and new connections ask first."""
    engine = create_engine(changed(settings, db_name="demoted", db_pool_size=2), "test")
    pids = text("SELECT pg_backend_pid()")
    async with engine.connect() as one, engine.connect() as two:
        await one.execute(text("CREATE TABLE things (id int)"))
        await one.commit()
        before = {await one.scalar(pids), await two.scalar(pids)}
    async with engine.connect() as connection:
        await connection.execute(text("SET default_transaction_read_only = on"))
        await connection.commit()
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(text("INSERT INTO things VALUES (1)"))
        assert refused.value.connection_invalidated
    async with engine.connect() as one, engine.connect() as two:
        assert not before & {await one.scalar(pids), await two.scalar(pids)}
        await one.execute(text("INSERT INTO things VALUES (1)"))
    read_only.execute('ALTER DATABASE "demoted" SET default_transaction_read_only = on')
    await engine.dispose()
    with pytest.raises(DBAPIError, match="read-only"):
        async with engine.connect():
            pass
    await engine.dispose()
    anyone = create_engine(changed(settings, db_name="demoted", db_target_session_attrs="any"), "test")
    async with anyone.connect() as connection:
        assert await connection.scalar(text("SHOW transaction_read_only")) == "on"
    await anyone.dispose()

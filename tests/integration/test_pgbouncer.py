"""Behind a real PgBouncer, which lends a connection for one transaction: nothing of ours outlives it."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.app import running
from devstack.producer import message_body
from devstack.stack import Stack
from tests.lab import PATIENCE, Lab, fresh_id, unused_port
from tests.messages import Mail, phones

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
CONNECTIONS = 3  # to Postgres, for all processes together
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is a package of the system, in no registry"),
]


@pytest.fixture
def pgbouncer(stack: Stack, tmp_path: Path) -> Iterator[int]:
    """Its port."""
    settings, port = stack.settings(), unused_port()
    user, password = settings.db_user, settings.db_password.get_secret_value()
    (tmp_path / "users.txt").write_text(f'"{user}" "{password}"\n')
    (tmp_path / "pgbouncer.ini").write_text(
        f"[databases]\n{settings.db_name} = host={settings.db_host} port={settings.db_port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {tmp_path}/users.txt\n"
        f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\nmax_client_conn = 300\n"
    )
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)
    for folder in tmp_path.parents:  # it does not run as root
        if folder.stat().st_mode & 1 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    command = [PROGRAM, "-u", "nobody", f"{tmp_path}/pgbouncer.ini"]
    process = subprocess.Popen([str(each) for each in command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, dbname=settings.db_name, user=user, password=password
            ).close()
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline and process.poll() is None, "PgBouncer does not answer"
            time.sleep(0.1)
    yield port
    process.terminate()
    process.wait()


async def test_texts_and_lectures_behind_pgbouncer(stack: Stack, lab: Lab, pgbouncer: int) -> None:
    mail, video = Mail(lab), fresh_id()
    tenant, people = await mail.account(), phones(20)
    through = {"DB_PORT": str(pgbouncer), "DB_PGBOUNCER": "true"}
    async with running(stack, "api", "bridge", "messaging", "video", "ai", "ops", **through):
        lab.send_encode(video, video)
        for phone in people:
            await asyncio.to_thread(lab.send, "messaging", message_body(tenant, phone, "내일은 휴원입니다."))
        job = await mail.send(tenant, phones(1000))
        done = [*await lab.ended(tenant, len(people) + 1), *await lab.ended(video)]
    assert {each.state for each in done} == {"DONE"}
    assert sorted(each["to"] for each in mail.simulator.ledger() if each["to"] in people) == people
    assert len(mail.sent(job)) == 1000

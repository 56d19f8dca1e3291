"""The embedded stack itself: real servers, started, killed and found again."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
import redis.asyncio
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from clients.queues import RECEIVES
from clients.settings import Settings
from devstack import ports, processes
from devstack.processes import Process, StackError
from devstack.servers import SEARCH_ATTRIBUTES
from devstack.stack import ROOT, Stack, running
from tests.lab import PATIENCE

SUPERVISOR = """
import sys, time
from pathlib import Path
from devstack.stack import Stack
stack = Stack(Path(sys.argv[1]))
stack.start()
print(*stack.pids(), flush=True)
time.sleep(10**6)
"""


def s3(settings: Settings) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=settings.r2_endpoint_url,
        region_name="auto",
        aws_access_key_id=settings.r2_access_key_id,
        aws_secret_access_key=settings.r2_secret_access_key.get_secret_value(),
    )


def sqs(settings: Settings) -> SQSClient:
    return boto3.client(
        "sqs",
        endpoint_url=settings.sqs_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id="devstack",
        aws_secret_access_key="devstack",
    )


async def database(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    url = settings.database_url().set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


async def workflow_ids(settings: Settings) -> set[str]:
    client = await Client.connect(settings.temporal_address)
    return {each.id async for each in client.list_workflows()}


async def start_workflow(settings: Settings, workflow_id: str) -> None:
    client = await Client.connect(settings.temporal_address)
    await client.start_workflow("Waiting", id=workflow_id, task_queue="nobody-listens")


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_postgres_has_the_tables_and_wants_the_password(settings: Settings) -> None:
    assert await database(settings, "SELECT version_num FROM alembic_version")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await database(settings.model_copy(update={"db_user": "postgres"}), "SELECT 1")


async def test_temporal_has_search_attributes_and_keeps_finished_workflows_a_week(settings: Settings) -> None:
    client = await Client.connect(settings.temporal_address)
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=settings.temporal_namespace)
    )
    assert set(SEARCH_ATTRIBUTES) <= set(listed.custom_attributes)
    namespace = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=settings.temporal_namespace)
    )
    assert namespace.config.workflow_execution_retention_ttl.ToTimedelta().days == 7


def test_s3_refuses_strangers_and_holds_what_it_gets(settings: Settings) -> None:
    s3(settings).put_object(Bucket=settings.r2_bucket, Key="stack/a", Body=b"x")
    assert s3(settings).get_object(Bucket=settings.r2_bucket, Key="stack/a")["Body"].read() == b"x"
    stranger = s3(settings.model_copy(update={"r2_access_key_id": "stranger"}))
    with pytest.raises(stranger.exceptions.ClientError, match="InvalidAccessKeyId"):
        stranger.get_object(Bucket=settings.r2_bucket, Key="stack/a")


def test_a_message_that_nobody_deletes_goes_to_the_dead_letters(own_stack: Stack) -> None:
    settings = own_stack.settings()  # on the shared one a bridge may be at work
    client = sqs(settings)
    name = settings.messaging_sqs_queue_name
    queue, dead = (client.get_queue_url(QueueName=each)["QueueUrl"] for each in (name, f"{name}-dlq"))
    attributes = client.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"
    client.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(RECEIVES):
        assert client.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    assert not client.receive_message(QueueUrl=queue).get("Messages")
    (message,) = client.receive_message(QueueUrl=dead, VisibilityTimeout=0)["Messages"]
    assert message["Body"] == "poison"
    client.purge_queue(QueueUrl=dead)


async def test_redis_answers_and_wants_the_password(settings: Settings) -> None:
    assert settings.redis_password
    password = settings.redis_password.get_secret_value()
    async with redis.asyncio.Redis(
        host=settings.redis_host, port=settings.redis_port, password=password
    ) as known:
        assert await known.ping()
    async with redis.asyncio.Redis(host=settings.redis_host, port=settings.redis_port) as stranger:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await stranger.ping()


def test_the_programs_for_video_run(settings: Settings) -> None:
    for program in (settings.ffmpeg_binary, settings.ffprobe_binary):
        assert subprocess.run([program, "-version"], capture_output=True, check=True).stdout


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    listening = {
        connection.laddr.ip
        for pid in stack.pids()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.slow
def test_a_lock_whose_number_is_another_program_now_does_not_stop_postgres(own_stack: Stack) -> None:
    own_stack.kill("postgres")
    own_stack.stop()
    lock = own_stack.data_dir / "postgres" / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines(keepends=True)
    with subprocess.Popen(["/bin/sleep", "60"], user="nobody" if os.geteuid() == 0 else None) as other:
        lock.write_text("".join([f"{other.pid}\n", *lines[1:]]))
        try:
            own_stack.start()
        finally:
            other.kill()
    assert own_stack.dead() is None


async def test_data_survives_a_restart_on_other_ports(own_stack: Stack) -> None:
    first = own_stack.settings()
    await database(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    s3(first).put_object(Bucket=first.r2_bucket, Key="kept", Body=b"x" * 100_000)
    await start_workflow(first, "kept")
    queue = sqs(first).get_queue_url(QueueName=first.video_sqs_queue_name)["QueueUrl"]
    sqs(first).send_message(QueueUrl=queue, MessageBody="kept")
    own_stack.stop()
    own_stack.ports = ports.choose()
    own_stack.start()
    again = own_stack.settings()
    assert again.temporal_address != first.temporal_address
    assert await database(again, "SELECT answer FROM kept") == [(42,)]
    assert s3(again).head_object(Bucket=again.r2_bucket, Key="kept")["ContentLength"] == 100_000
    assert "kept" in await workflow_ids(again)
    queue = sqs(again).get_queue_url(QueueName=again.video_sqs_queue_name)["QueueUrl"]
    (message,) = sqs(again).receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "kept"


@pytest.mark.parametrize("name", ["postgres", "temporal", "seaweedfs", "ministack", "valkey"])
async def test_a_killed_server_is_mended_with_its_data(own_stack: Stack, name: str) -> None:
    settings = own_stack.settings()
    await database(settings, f"CREATE TABLE kept_{name} AS SELECT 42 AS answer")
    s3(settings).put_object(Bucket=settings.r2_bucket, Key="kept", Body=b"x")
    await start_workflow(settings, f"kept-{name}")
    own_stack.kill(name)
    dead = own_stack.dead()
    assert dead and dead.name == name
    own_stack.restart(name)
    assert own_stack.dead() is None
    assert await database(settings, f"SELECT answer FROM kept_{name}") == [(42,)]
    assert s3(settings).get_object(Bucket=settings.r2_bucket, Key="kept")["Body"].read() == b"x"
    assert f"kept-{name}" in await workflow_ids(settings)
    assert sqs(settings).get_queue_url(QueueName=settings.video_sqs_queue_name)


def test_a_suspended_server_hangs_and_goes_on(stack: Stack, settings: Settings) -> None:
    stack.suspend("seaweedfs")
    try:
        with pytest.raises(TimeoutError), socket.create_connection(("127.0.0.1", stack.ports.s3)) as held:
            held.settimeout(0.3)
            held.sendall(b"GET / HTTP/1.0\r\n\r\n")
            held.recv(1)
    finally:
        stack.resume("seaweedfs")
    assert s3(settings).head_bucket(Bucket=settings.r2_bucket)


@pytest.mark.slow
async def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """In a folder where only its owner may pass: as root, Postgres runs as `nobody`, who cannot pass a
    checkout below /root. Its name has all that shells, URLs and files of settings take for something else."""
    closed = tmp_path / '학원 (1), it\'s "50 %" [$HOME] a?b#c;d'
    closed.mkdir(mode=0o700)
    folder = closed / "data"
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert supervisor.stdout
    with supervisor.stdout:
        servers = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()]
    assert len(servers) > 5  # Postgres has children
    assert running(folder) == supervisor.pid
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    deadline = time.monotonic() + PATIENCE
    while any(map(lives, servers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(filter(lives, servers)) == []
    named = [each for each in psutil.process_iter(["cmdline", "cwd"]) if str(tmp_path) in str(each.info)]
    assert named == []
    assert running(folder) is None
    with Stack(folder) as again:  # and the data is whole
        assert again.dead() is None
        assert await database(again.settings(), "SELECT version_num FROM alembic_version")


def test_servers_outlive_the_thread_that_started_them(own_stack: Stack) -> None:
    """The parent-death signal follows a thread; a worker thread that ends must not take a server along."""
    from threading import Thread

    thread = Thread(target=own_stack.restart, args=("valkey",))
    thread.start()
    thread.join()
    while Path(f"/proc/self/task/{thread.native_id}").exists():  # its end is when the signal would be sent
        time.sleep(0.01)
    own_stack._servers["valkey"].ready()  # who is killed answers no more
    assert own_stack.dead() is None


def test_a_second_stack_on_the_same_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match=rf"runs already .*process {os.getpid()}.*make down"):
        Stack(stack.data_dir).start()
    with pytest.raises(StackError, match="runs already"):  # a second demo deleted what the first one had
        Stack(stack.data_dir, fresh=True).start()
    assert stack.dead() is None
    assert (stack.data_dir / "postgres" / "data").is_dir() and (stack.data_dir / "secrets.json").exists()


def test_a_fresh_stack_begins_with_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "secrets.json").touch()
    stack = Stack(tmp_path, fresh=True)
    stack._prepare_folder()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lock", "logs", "tmp", "valkey", "work"]
    stack.stop()


@pytest.mark.parametrize(
    ("does", "comes"), [("for _ in range(10**5): pass", True), ("time.sleep(0.1)", False)]
)
def test_who_gets_on_is_waited_for_and_who_does_not_is_named(
    does: str, comes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(processes, "SAID_EVERY", 0.5)
    script = f"import time\nwhile True:\n  {does}"
    process = Process("slow", [sys.executable, "-c", script], tmp_path / "log", dict(os.environ), tmp_path)
    process.start()
    began = time.monotonic()

    def ready() -> None:
        if time.monotonic() - began < 4:
            raise OSError("not open yet")

    try:
        if comes:
            process.wait_ready(ready, (OSError,))
        else:
            with pytest.raises(StackError, match="slow gives no answer: not open yet"):
                process.wait_ready(ready, (OSError,))
    finally:
        process.kill()
    assert "waiting for slow" in capfd.readouterr().err


@pytest.mark.parametrize(
    "video", ["강의 (1) [최종].mp4", 'it\'s "new" $HOME `id` 100%.mp4', "-v.mp4", "a;b&c|d.mp4"]
)
def test_make_takes_any_name_of_a_video(video: str) -> None:
    def word(*variables: str, **env: str) -> list[str]:
        """The last words of what make would run; READY names a file that is there, and no makefile."""
        command = ["make", "-n", "--no-print-directory", "demo", "READY=README.md", *variables]
        said = subprocess.run(
            command, cwd=ROOT, env=os.environ | env, check=True, capture_output=True, text=True
        ).stdout
        return shlex.split(said.splitlines()[-1])[-2:]

    assert word(f"VIDEO={video}") == ["--", video]
    assert word(VIDEO=video) == ["--", video]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    chosen = ports.choose()
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", chosen.redis))
        thief.listen()
        with pytest.raises(StackError, match=rf"^port {chosen.redis} \(redis\) is taken: stop .*PORTS=auto"):
            Stack(tmp_path, chosen).start()


@pytest.mark.slow
def test_a_port_lost_between_choosing_and_starting_is_replaced(
    new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its taker seems to be gone when we look."""
    subprocess.run(["cp", "-a", f"{new}/.", tmp_path], check=True)
    tmp_path.chmod(0o711)
    stack = Stack(tmp_path)
    lost = stack.ports.postgres
    monkeypatch.setattr("devstack.stack.free", lambda _: True)
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", lost))
        thief.listen()
        with stack:
            assert stack.ports.postgres != lost
            assert stack.dead() is None


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o711)
    monkeypatch.setattr("devstack.programs.script", lambda name: f"/nowhere/{name}")
    stack = Stack(tmp_path)
    with pytest.raises(StackError, match=r"temporal: /nowhere/temporal is missing; remove .venv"):
        stack.start()
    assert stack.pids() == set()

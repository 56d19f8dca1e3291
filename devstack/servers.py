"""The servers: how each is started, and when it answers with all that we need inside it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil  # type: ignore[import-untyped]
import psycopg
import redis
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clients.queues import RECEIVES
from clients.settings import Settings
from devstack import programs
from devstack.ports import LOOPBACK, Ports
from devstack.processes import Process, StackError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CORSRuleTypeDef
    from mypy_boto3_sqs import SQSClient

NOT_YET = (OSError, psycopg.OperationalError, redis.RedisError, BotoCoreError, ClientError)

SEARCH_ATTRIBUTES = ("TenantId", "JobType", "Stage")
RETENTION_DAYS = 7  # of finished workflows
VISIBILITY_SECONDS = {
    "video": 6 * 3600,
    "ai-lite": 3600,
    "ai-basic": 3600,
    "ai-premium": 3600,
    "messaging": 60,
}
ROOT = Path(__file__).parents[1]
DLQ_RETENTION_SECONDS = 14 * 24 * 3600  # the longest that SQS allows

# One try, short waits: asking again is the business of `Process.wait_ready`.
_IMPATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5)


@dataclass(frozen=True)
class Server:
    process: Process
    ready: Callable[[], object]  # raises one of NOT_YET until it answers and holds what we need


def all_servers(home: Path, ports: Ports, settings: Settings) -> list[Server]:
    """The servers of the stack below the folder `home`, the slowest to start first."""
    kinds = (_temporal, _seaweedfs, _ministack, _solapi, _postgres, _valkey)
    return [each(home, ports, settings) for each in kinds]


def _process(home: Path, name: str, argv: list[str], **env: str) -> Process:
    """It works in its own folder and is told no path of that: each stumbles over other signs in one."""
    base = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home / "tmp")}
    return Process(name, argv, home / "logs" / f"{name}.log", base | env, cwd=home / name)


def _temporal(home: Path, ports: Ports, settings: Settings) -> Server:
    program = programs.script("temporal")
    values = {
        "matching.enableFairness": "true",
        "matching.numTaskqueueReadPartitions": "1",
        "matching.numTaskqueueWritePartitions": "1",
        # A cancel reaches a working activity at once, and not with its next heartbeat.
        "frontend.workerCommandsEnabled": "true",
        "system.enableCancelActivityWorkerCommand": "true",
        # A worker that stops is given no more task by a poll that it has left behind.
        "frontend.enableCancelWorkerPollsOnShutdown": "true",
    }
    argv = [program, "server", "start-dev", "--ip", LOOPBACK, "--port", str(ports.temporal)]
    argv += ["--ui-port", str(ports.temporal_ui), "--ui-disable-news-fetch", "--log-level", "error"]
    argv += ["--ui-codec-endpoint", f"http://{LOOPBACK}:{ports.front}/codec"]
    argv += ["--db-filename", "temporal.db"]
    argv += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for key, value in values.items():
        argv += ["--dynamic-config-value", f"{key}={value}"]
    for name in SEARCH_ATTRIBUTES:
        argv += ["--search-attribute", f"{name}=Keyword"]
    process = _process(home, "temporal", argv)

    def operator(*words: str) -> None:
        command = [program, "--address", settings.temporal_address, "operator", *words]
        done = subprocess.run(command, env=process.env, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise OSError(done.stderr.strip())

    def ready() -> None:
        # The UI asks the server behind it; an open port is not yet an answer.
        url = f"http://{LOOPBACK}:{ports.temporal_ui}/api/v1/namespaces/{settings.temporal_namespace}"
        with urllib.request.urlopen(url, timeout=5):
            pass
        # The flags above do not reach a file that an earlier version made; both of these may be repeated.
        keywords = [word for name in SEARCH_ATTRIBUTES for word in ("--name", name, "--type", "Keyword")]
        operator("search-attribute", "create", *keywords)
        operator(
            "namespace", "update", "-n", settings.temporal_namespace, "--retention", f"{RETENTION_DAYS}d"
        )

    return Server(process, ready)


def _seaweedfs(home: Path, ports: Ports, settings: Settings) -> Server:
    key, secret = settings.r2_access_key_id, settings.r2_secret_access_key.get_secret_value()
    argv = [programs.script("weed"), "-logtostderr=true", "mini", "-dir=."]
    argv += [f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-master.telemetry=false", "-volume.preStopSeconds=0"]
    argv += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    argv += [f"-s3.port={ports.s3}", f"-master.port={ports.weed_master}", f"-filer.port={ports.weed_filer}"]
    argv += [f"-volume.port={ports.weed_volume}", f"-admin.port={ports.weed_admin}"]
    argv += ["-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"]
    argv += [f"-bucket={settings.r2_bucket}", "-s3.autoCreateBucket=false"]
    # Without these two the store is open to everybody.
    process = _process(
        home,
        "seaweedfs",
        argv,
        AWS_ACCESS_KEY_ID=key,
        AWS_SECRET_ACCESS_KEY=secret,
        GOMEMLIMIT="512MiB",
    )

    @cache  # making a client costs more than asking with it
    def s3() -> "S3Client":
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.r2_endpoint_url,
            region_name="auto",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=_IMPATIENT,
        )

    def ready() -> None:
        s3().head_bucket(Bucket=settings.r2_bucket)
        s3().put_bucket_policy(Bucket=settings.r2_bucket, Policy=json.dumps(_viewers(settings.r2_bucket)))
        s3().put_bucket_cors(Bucket=settings.r2_bucket, CORSConfiguration={"CORSRules": [_UPLOADERS]})

    return Server(process, ready)


# Browsers PUT files to presigned links, and read the ETag of what arrived. On this machine from any page.
_UPLOADERS: "CORSRuleTypeDef" = {
    "AllowedOrigins": ["*"],
    "AllowedMethods": ["GET", "HEAD", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
}


def _viewers(bucket: str) -> dict[str, object]:
    """On this machine players may read what is published; everywhere else the bucket is private."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/tenants/*/video/hls/*",
            }
        ],
    }


def _ministack(home: Path, ports: Ports, settings: Settings) -> Server:
    state = home / "ministack" / "sqs.json"
    if state.exists():  # it knows its queues by address, and the port may be another one now
        kept = re.sub(
            r"http://[\d.]+:\d+/0{12}/", f"{settings.sqs_endpoint_url}/{'0' * 12}/", state.read_text()
        )
        state.write_text(kept)
    process = _process(
        home,
        "ministack",
        [sys.executable, "-m", "ministack"],
        SERVICES="sqs",
        BIND_HOST=LOOPBACK,  # its default is every interface
        MINISTACK_HOST=LOOPBACK,  # the host in queue addresses
        GATEWAY_PORT=str(ports.sqs),
        PERSIST_STATE="1",  # at SIGTERM only
        STATE_DIR=".",
        IOT_MTLS_ENABLED="0",  # would take port 8883
        SFTP_ENABLED="0",
        LOG_LEVEL="WARNING",
    )

    @cache
    def client() -> "SQSClient":
        return boto3.session.Session().client(
            "sqs",
            endpoint_url=settings.sqs_endpoint_url,
            region_name=settings.aws_region,
            aws_access_key_id="devstack",
            aws_secret_access_key="devstack",
            config=_IMPATIENT,
        )

    def ready() -> None:
        sqs = client()
        for ours, name in settings.queue_names().items():
            dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
            sqs.set_queue_attributes(
                QueueUrl=dlq, Attributes={"MessageRetentionPeriod": str(DLQ_RETENTION_SECONDS)}
            )
            arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
            visibility = str(VISIBILITY_SECONDS.get(ours, 3600))
            sqs.set_queue_attributes(
                QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"],
                Attributes={"VisibilityTimeout": visibility, "RedrivePolicy": redrive},
            )

    return Server(process, ready)


def _solapi(home: Path, ports: Ports, settings: Settings) -> Server:
    """The one server that is not real: Solapi cannot be had here."""
    secret, webhook = settings.solapi_api_secret, settings.solapi_webhook_secret
    assert settings.solapi_api_key and secret and webhook
    process = _process(
        home,
        "solapi",
        [sys.executable, "-m", "devstack.solapi", "--port", str(ports.solapi)],
        PYTHONPATH=str(ROOT),
        SOLAPI_API_KEY=settings.solapi_api_key,
        SOLAPI_API_SECRET=secret.get_secret_value(),
        SIMULATOR_WEBHOOK_URL=f"http://{LOOPBACK}:{ports.api}/api/v1/webhooks/solapi",
        SIMULATOR_WEBHOOK_SECRET=webhook.get_secret_value(),
    )

    def ready() -> None:
        urllib.request.urlopen(f"{settings.solapi_base_url}/", timeout=5).close()

    return Server(process, ready)


def _postgres(home: Path, ports: Ports, settings: Settings) -> Server:
    argv = [programs.postgres("postgres"), "-D", "data"]
    for option in (f"listen_addresses={LOOPBACK}", f"port={ports.postgres}", "unix_socket_directories="):
        argv += ["-c", option]
    for option in ("max_connections=200", "timezone=UTC", "log_timezone=UTC", "log_checkpoints=off"):
        argv += ["-c", option]
    process = _process(home, "postgres", argv)
    process.as_nobody = True
    process.stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave

    def ready() -> None:
        url = settings.database_url().set(drivername="postgresql")
        maintenance = url.set(database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(maintenance, autocommit=True, connect_timeout=5) as connection:
            names = connection.execute("SELECT datname FROM pg_database").fetchall()
            if (settings.db_name,) not in names:
                connection.execute(f'CREATE DATABASE "{settings.db_name}"')

    return Server(process, ready)


def create_cluster(process: Process, settings: Settings) -> None:
    """Make Postgres' data folder if there is none; all or nothing.

    Raises:
        StackError: initdb failed.
    """
    data, unfinished = process.cwd / "data", process.cwd / "unfinished"
    if data.exists():
        _bury_killed_postgres(data)
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    password = process.cwd / "password"
    password.write_text(settings.db_password.get_secret_value())
    password.chmod(0o600)
    if os.geteuid() == 0:
        for path in (process.cwd, password):
            shutil.chown(path, "nobody")
    argv = [programs.postgres("initdb"), "-D", unfinished.name, f"--username={settings.db_user}"]
    argv += [
        f"--pwfile={password.name}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    initdb = Process("initdb", argv, process.log, process.env, process.cwd, as_nobody=True)
    initdb.start()
    if initdb.wait_end() != 0:
        raise initdb.died()
    password.unlink()
    unfinished.rename(data)


def _bury_killed_postgres(data: Path) -> None:
    """Remove the lock file of a killed Postgres, unless some of its processes are still at work.

    Postgres itself believes the file as long as the number in it exists: as a zombie that nobody
    collects, or as another program after a restart of the machine.
    """
    lock = data / "postmaster.pid"
    deadline = time.monotonic() + 5  # the backends of a killed one end by themselves
    while lock.exists() and time.monotonic() < deadline:
        if all(each.info["cwd"] != str(data.resolve()) for each in psutil.process_iter(["cwd"])):
            lock.unlink()
        else:
            time.sleep(0.1)


def _valkey(home: Path, ports: Ports, settings: Settings) -> Server:
    if settings.redis_password is None:
        raise StackError("REDIS_PASSWORD is not set")
    password = settings.redis_password.get_secret_value()
    configuration = home / "valkey" / "valkey.conf"  # a file: arguments can be read by every user
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind {LOOPBACK}\nport {ports.redis}\nrequirepass {password}\nloglevel warning\n"
        'dir .\nappendonly yes\nsave ""\n'
    )
    # Its name is taken for a pattern, and one that matches nothing for no configuration at all.
    process = _process(home, "valkey", [programs.valkey(), f"/proc/self/cwd/{configuration.name}"])

    def ready() -> None:
        with redis.Redis(LOOPBACK, ports.redis, password=password, socket_timeout=5) as client:
            client.ping()

    return Server(process, ready)

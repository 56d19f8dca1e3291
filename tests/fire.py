"""`make alerts`: every alert of deploy/prometheus/alerts.yaml fires once for what it is about, in a real
Prometheus that scrapes real processes on the embedded stack. Times are shorter: a minute of the rules is two
seconds here, and limits that are seconds of waiting are set below. Needs `prometheus` (Debian has it).

Prints each alert with the seconds from its cause to its firing; ends with 1 where one stayed quiet.
"""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import yaml

from clients.confinement import tell
from clients.progress import connect
from contracts.names import TaskQueue, WorkflowType
from contracts.video import hls_root
from devstack.app import App, running
from devstack.producer import ai_body, message_body
from devstack.stack import Stack
from tests.lab import Lab, fresh_id, unused_port
from tests.messages import Mail, phones

FOLDER = Path(__file__).parents[1] / "deploy/prometheus"
A_MINUTE = 2.0  # seconds here
LONGEST_FOR = 10.0
PATIENCE = 240.0
# Waiting and delays as they are on a small stack; the reconciler looks every minute.
LIMITS = {
    "jobs_unseen_seconds) > 300": "jobs_unseen_seconds) > 90",
    "timestamp_seconds) > 720": "timestamp_seconds) > 100",
    "> 14400": "> 5",
    'le="60.0"': 'le="2.5"',
    'le="300.0"': 'le="5.0"',
}
MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}


def quicker(text: str) -> str:
    """A file of rules with shorter times."""
    for limit, here in LIMITS.items():
        text = text.replace(limit, here)

    def window(found: re.Match[str]) -> str:
        seconds = max(int(found[1]) * MINUTES[found[2]] * A_MINUTE, 20)
        return f"[{seconds:.0f}s]"

    def lasting(found: re.Match[str]) -> str:
        seconds = min(int(found[1]) * MINUTES[found[2]] * A_MINUTE, LONGEST_FOR)
        return f"for: {seconds:.0f}s"

    return re.sub(r"for: (\d+)([smhd])", lasting, re.sub(r"\[(\d+)([smhd])\]", window, text))


class Prometheus:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("rules.yaml", "alerts.yaml"):
            (folder / name).write_text(quicker((FOLDER / name).read_text()))
        targets = {"files": [f"{folder}/targets.json"], "refresh_interval": "1s"}
        config = {
            "global": {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "1s"},
            "rule_files": [f"{folder}/rules.yaml", f"{folder}/alerts.yaml"],
            "scrape_configs": [{"job_name": "academy", "file_sd_configs": [targets]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._url = f"http://127.0.0.1:{(port := unused_port())}"
        program = shutil.which("prometheus")
        if not program:
            raise SystemExit("prometheus is not here: Debian has it in `prometheus`")
        argv = [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
        self.scrape()
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)

    def scrape(self, *what: tuple[App, str]) -> None:
        """From now on these and no others."""
        targets = [app.told_at(name).removeprefix("http://") for app, name in what]
        (new := self._folder / "targets.new").write_text(json.dumps([{"targets": targets}]))
        new.replace(self._folder / "targets.json")

    def firing(self) -> set[str]:
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/alerts", timeout=10) as answer:
                alerts = json.load(answer)["data"]["alerts"]
        except urllib.error.URLError:  # it begins
            return set()
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class Firing:
    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.fired: dict[str, float] = {}

    async def until(self, *names: str, busy: Callable[[], Awaitable[object]] | None = None) -> None:
        """Wait for them, `busy` meanwhile."""
        began, missing = time.monotonic(), set(names)
        while missing and time.monotonic() - began < PATIENCE:
            if busy:
                await busy()
            await asyncio.sleep(1)
            for name in missing & await asyncio.to_thread(self._prometheus.firing):
                self.fired[name] = time.monotonic() - began
                print(f"{name:<20} fired after {self.fired[name]:5.0f} s", flush=True)
                missing.discard(name)
        for name in missing:
            print(f"{name:<20} stayed quiet for {PATIENCE:.0f} s", flush=True)

    async def quiet(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if loud := await asyncio.to_thread(self._prometheus.firing):
            print(f"with nothing wrong: {', '.join(sorted(loud))}", flush=True)


async def fire(stack: Stack, prometheus: Prometheus) -> set[str]:
    lab = await Lab.open(stack)
    mail, firing = Mail(lab), Firing(prometheus)
    env = {"ORPHAN_GRACE_HOURS": "0", "SOLAPI_REQUESTS_PER_SECOND": "500"}
    async with running(stack, "api", "bridge", "messaging", "ops", **env) as app:
        core = [(app, name) for name in ("api", "bridge", "messaging", "ops")]
        prometheus.scrape(*core)
        await firing.quiet(40)

        # A kind of worker is missing.
        tenant = fresh_id()
        lab.send_encode(tenant, fresh_id())
        await firing.until("NobodyPolls", "JobsOld")

        # It comes, and has no room; then it has.
        with no_room(stack.data_dir / "small") as folder:
            async with running(stack, "video", WORK_DIR=str(folder)) as small:
                prometheus.scrape(*core, (small, "video"))
                await firing.until("DiskFull", "WorkerIdle")
        async with running(stack, "video") as video:
            prometheus.scrape(*core, (video, "video"))
            await lab.ended(tenant)
            await firing.until("PlayableLateFast", "PlayableLateSlow", busy=lambda: encode_another(lab))

        # What others send, and what they have no credit for.
        prometheus.scrape(*core)
        lab.send("video", "no json")
        poor = await mail.account(credit=0)
        await mail.send(poor, phones(1))
        await firing.until("DeadLetters", "CreditLow")
        key = await lab.service_key(tenant)
        await firing.until("KeysReused", busy=lambda: reuse(app, key))

        # Objects of nobody.
        lab.objects.put(
            f"{hls_root(tenant, fresh_id())}{uuid4().hex[:12]}-1/720p/init.mp4", b"x", "video/mp4"
        )
        await lab.temporal.start_workflow(
            WorkflowType.SWEEP_OBJECTS, id=uuid4().hex, task_queue=TaskQueue.OPS
        )
        await firing.until("OrphansStay")

        # A host that confines nothing: its worker's word, as none here lacks anything.
        redis = connect(lab.settings)
        await tell(redis, "video", ["seccomp"])
        await firing.until("HostUnconfined")
        await redis.hdel("confinement", *await redis.hkeys("confinement"))
        await redis.aclose()

        # The provider is away, and then late.
        rich = await mail.account()
        stack.suspend("solapi")
        for _ in range(5):
            await mail.send(rich, phones(1))
        try:
            await firing.until("ProviderErrors")
        finally:
            stack.resume("solapi")
        await firing.until("DeliveredLateFast", "DeliveredLateSlow")

        # Models are away.
        nowhere = {
            "MODEL_EMBEDDING_ENGINE": "server",
            "MODEL_EMBEDDING_URL": f"http://127.0.0.1:{unused_port()}",
            "MODEL_EMBEDDING_NAME": "none",
        }
        async with running(stack, "ai", **nowhere) as ai:
            prometheus.scrape(*core, (ai, "ai"))
            body = ai_body(tenant, uuid4().hex, "embedding", {"texts": ["가"]})
            lab.send("ai-basic", body)
            await firing.until("ModelErrors")
        prometheus.scrape(*core)

        # Postgres hangs.
        stack.suspend("postgres")
        try:
            lab.send("messaging", message_body(rich, "01012345678", "안녕하세요"))
            await firing.until("ServerAway", "BreakerOpen", "RequestsFail", busy=lambda: ask(app))
        finally:
            stack.resume("postgres")

        # Ours are away.
        for name, alert in (("ops", "ReconcilerMissing"), ("bridge", "BridgeAway"), ("api", "ApiAway")):
            core.remove((app, name))
            app.processes[name].stop(30)
            prometheus.scrape(*core)
            await firing.until(alert)
    await lab.close()
    return set(firing.fired)


@contextmanager
def no_room(folder: Path) -> Iterator[Path]:
    """A disk of 64 MiB: a worker keeps 128 free. Needs root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


async def encode_another(lab: Lab) -> None:
    """One after the other, each later than it plays."""
    tenant = fresh_id()
    lab.send_encode(tenant, fresh_id())
    await lab.ended(tenant)


async def reuse(app: App, key: str) -> None:
    """One key for two requests, of which the second is refused."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "once"}
    async with httpx.AsyncClient(base_url=app.api_url, headers=headers, timeout=60) as http:
        for text in ("가", "나"):
            body = {"job_type": "embedding", "payload": {"texts": [text]}}
            answer = await http.post("/api/v1/ai/jobs/", json=body)
    assert answer.json()["code"] == "idempotency_mismatch", answer.text


async def ask(app: App) -> None:
    """Something that needs the database."""
    with suppress(httpx.HTTPError):
        async with httpx.AsyncClient(base_url=app.api_url, timeout=60) as http:
            await http.get("/api/v1/jobs/none", headers={"Authorization": "Bearer none.none"})


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="alerts-"))
    folder.chmod(0o711)
    try:
        (stack_folder := folder / "stack").mkdir()
        stack_folder.chmod(0o711)
        prometheus = Prometheus(folder)
        try:
            with Stack(stack_folder) as stack:
                fired = asyncio.run(fire(stack, prometheus))
        finally:
            prometheus.stop()
    finally:
        shutil.rmtree(folder)
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    names = {rule["alert"] for group in groups for rule in group["rules"]}
    print(f"{len(fired)} of {len(names)} alerts fired", flush=True)
    if quiet := names - fired:
        raise SystemExit(f"quiet: {', '.join(sorted(quiet))}")


if __name__ == "__main__":
    main()

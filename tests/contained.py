"""`make contained`: the image that the Dockerfile builds, our processes in containers as docker-compose.yml
has them, and a lecture, a page and a text through them. The servers are those of the embedded stack.

Needs docker or podman, and pulls the base image. Not as compose has it: the network, which is the host's,
because the servers listen there. Ends with 1 where something did not hold.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from devstack.ports import LOOPBACK
from devstack.producer import ai_body, message_body
from devstack.stack import Stack
from tests.lab import SAMPLE, Lab, eventually, fresh_id, make_roles, unused_port
from tests.messages import Mail, phones
from tests.unit.test_compose import PROCESSES, ROOT, SECRETS, compose

PASSWORD = "contained-not-secret"  # of roles that live as long as this
RUNNING = [name for name in PROCESSES if name != "migrate"]
# Where the embedded stack has them; all else is as compose hands it out.
PLACES = {"DB_PORT", "REDIS_PORT", "SQS_WAIT_SECONDS", "SOLAPI_BASE_URL"}
OWN = {"WORK_DIR", "DB_USER", "DB_PASSWORD", "OMP_THREAD_LIMIT"}
CONFINED = {
    "uid": "10001",
    "CapEff": "0000000000000000",
    "NoNewPrivs": "1",
    "Seccomp": "2",
    "root": "read-only",
}
LOOK = """
import os
lines = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
said = {"uid": str(os.getuid())} | {name: lines[name].strip() for name in ("CapEff", "NoNewPrivs", "Seccomp")}
try:
    open("/app/written", "w")
    said["root"] = "can be written"
except OSError:
    said["root"] = "read-only"
print(__import__("json").dumps(said))
"""


class Containers:
    """Ours, by their names in docker-compose.yml."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._program = answering("docker", "podman")
        self._stack = stack
        told = compose("--format", "json", env=dict.fromkeys(SECRETS, "x"), folder=folder)
        assert told.returncode == 0, told.stderr
        self._services: dict[str, Any] = json.loads(told.stdout)["services"]
        self.health = {name: f"{LOOPBACK}:{unused_port()}" for name in RUNNING}

    def engine(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([self._program, *words], capture_output=True, text=True)
        if check and done.returncode:
            raise SystemExit(f"{words[0]} {words[-1][:60]}: {done.stderr[-2000:] or done.stdout[-2000:]}")
        return done.stdout.strip()

    def build(self) -> None:
        self.engine("build", "--tag", self._services["api"]["image"], str(ROOT))

    def environment(self, name: str) -> dict[str, str]:
        wanted: dict[str, str] = self._services[name]["environment"]
        here = self._stack.environment() | {
            "TEMPORAL_NAMESPACE": self._stack.settings().temporal_namespace,
            "HEALTH_ADDRESS": self.health.get(name, ""),
        }
        found = {key: here[key] for key in here if (key in wanted and key not in OWN) or key in PLACES}
        role = {} if name == "migrate" else {"DB_PASSWORD": PASSWORD}
        if name == "migrate":
            role = {key: here[key] for key in ("DB_USER", "DB_PASSWORD")}
        return {key: str(value) for key, value in wanted.items() if value} | found | role

    def run(self, name: str, *more: str) -> str:
        """Start one as compose would."""
        service = self._services[name]
        flags = ["--network", "host", "--name", f"contained-{name}", "--user", service["user"], *more]
        flags += ["--read-only"] if service["read_only"] else []
        flags += ["--init"] if service["init"] else []
        flags += [word for each in service["tmpfs"] for word in ("--tmpfs", each)]
        flags += [word for each in service["cap_drop"] for word in ("--cap-drop", each)]
        flags += [word for each in service["security_opt"] for word in ("--security-opt", each)]
        flags += ["--memory", str(service["mem_limit"]), "--pids-limit", str(service["pids_limit"])]
        flags += ["--cpus", str(min(service["cpus"], os.cpu_count() or 1))]
        for volume in service.get("volumes", ()):
            flags += ["--volume", f"contained-{volume['source']}:{volume['target']}"]
        command = list(service["command"])
        if name == "api":
            command[command.index("--port") + 1] = self.health[name].rpartition(":")[2]
        values = [word for pair in self.environment(name).items() for word in ("--env", "=".join(pair))]
        return self.engine("run", *flags, *values, service["image"], *command)

    def ready(self, name: str) -> bool:
        path = "healthz" if name == "api" else "readyz"
        try:
            urllib.request.urlopen(f"http://{self.health[name]}/{path}", timeout=3).close()
        except OSError:
            return False
        return True

    def confined(self, name: str) -> dict[str, str]:
        said: dict[str, str] = json.loads(self.engine("exec", f"contained-{name}", "python", "-c", LOOK))
        return said

    def remove(self) -> None:
        for name in PROCESSES:
            self.engine("rm", "--force", f"contained-{name}", check=False)
        for name in ("work-video", "work-ai"):
            self.engine("volume", "rm", "--force", f"contained-{name}", check=False)


def answering(*names: str) -> str:
    """The first engine that is there and answers."""
    for program in filter(None, map(shutil.which, names)):
        if subprocess.run([program, "info"], capture_output=True).returncode == 0:
            return program
    raise SystemExit(f"{' or '.join(names)} is needed")


async def work(lab: Lab) -> list[tuple[str, str]]:
    """A lecture, a page and a text; how each ended."""
    lecture, page = fresh_id(), fresh_id()
    lab.send_encode(lecture, lecture, SAMPLE)
    key = f"tenants/{page}/uploads/1/page.png"
    await asyncio.to_thread(lab.objects.put, key, SAMPLE.with_name("exam-page.png").read_bytes(), "image/png")
    lab.send("ai-basic", ai_body(page, "page", "ocr", {"tenant_id": str(page), "file_key": key}))
    text = await Mail(lab).account()
    lab.send("messaging", message_body(text, *phones(1), "내일은 휴원입니다."))
    ended = [(await lab.ended(each))[0] for each in (lecture, page, text)]
    return [(each.job_type, f"{each.state} {each.error_code or ''}".strip()) for each in ended]


async def contained(folder: Path) -> bool:
    good = True
    with Stack(folder / "stack") as stack:
        lab = await Lab.open(stack)
        containers = Containers(stack, folder)
        if not os.environ.get("BUILT"):
            print("building the image", flush=True)
            await asyncio.to_thread(containers.build)
        containers.remove()
        try:
            containers.run("migrate", "--rm")
            make_roles(lab.settings, PASSWORD, *PROCESSES.values())
            for name in RUNNING:
                began = time.monotonic()
                containers.run(name, "--detach")

                async def ready(name: str = name) -> bool:
                    return await asyncio.to_thread(containers.ready, name)

                await eventually(ready, f"{name} is ready")
                said = containers.confined(name)
                good &= said == CONFINED
                print(f"{name}: ready after {time.monotonic() - began:.1f} s, {said}", flush=True)
            for job_type, end in await work(lab):
                good &= end in ("DONE", "REVIEW_REQUIRED")
                print(f"{job_type}: {end}", flush=True)
            for name in RUNNING:
                began = time.monotonic()
                containers.engine("stop", "--time", "60", f"contained-{name}")
                state = json.loads(containers.engine("inspect", f"contained-{name}"))[0]["State"]
                # uvicorn ends itself by the signal that it was sent, after its requests.
                good &= state["ExitCode"] in (0, 128 + signal.SIGTERM) and not state["OOMKilled"]
                print(
                    f"{name}: ended with {state['ExitCode']} after {time.monotonic() - began:.1f} s",
                    flush=True,
                )
        finally:
            containers.remove()
            await lab.close()
    return good


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="contained-"))
    folder.chmod(0o711)
    try:
        good = asyncio.run(contained(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not good)


if __name__ == "__main__":
    main()

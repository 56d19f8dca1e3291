"""Where a job's time goes: CPU-seconds of what ran, and wall seconds of the workflow's stages."""

import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple, Self

import psutil  # type: ignore[import-untyped]
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType

from devstack.app import App
from devstack.processes import Process
from tests.lab import Lab

LOOK_EVERY = 0.05  # seconds
# In what a program was told, the first that fits: what it is there for.
PROGRAMS = (
    ("ffprobe", "probe: every packet"),
    ("showinfo", "probe: first picture"),
    ("libx264", "units"),
    ("-c:v mjpeg", "poster and storyboard"),
    ("aac_low", "sound: levelling and AAC"),
    ("-c:a flac", "sound: decoding"),
    ("ebur128", "sound: loudness"),
)
STAGES = {
    "video.begin": "begin",
    "video.probe": "fetch and probe",
    "video.encode_batch": "units",
    "video.encode_audio": "sound",
    "video.make_pictures": "poster and storyboard",
    "video.publish": "publish",
    "video.erase": "tidy",
    "jobs.finish": "finish",
}


class Stage(NamedTuple):
    """Of one kind of activity: how many, seconds from the job's message to the first one's start and to the
    last one's end, seconds that all waited for a slot, and were worked on."""

    runs: int
    begun: float
    over: float
    waited: float
    worked: float


class Meter:
    """CPU-seconds of our processes and of the stack's servers, while the block runs.

    What a worker's programs took is known when they have ended; which program it was is looked up twenty
    times a second, so that up to 0.05 s of each are told as "not told apart".
    """

    def __init__(self, lab: Lab, app: App) -> None:
        self._watched = {f"{name} (Python)": process for name, process in app.processes.items()}
        self._servers = dict(lab.stack.processes)
        self._workers = [process.pid for name, process in app.processes.items() if name.startswith("video")]
        self._seen: dict[tuple[int, float], tuple[str, float]] = {}
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._before = self._now()
        self._began = time.monotonic()
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()
        self.wall = time.monotonic() - self._began
        after = self._now()
        spent = {name: after[name] - self._before[name] for name in after}
        programs: dict[str, float] = defaultdict(float)
        self.runs: Counter[str] = Counter()
        for kind, seconds in self._seen.values():
            programs[kind] += seconds
            self.runs[kind] += 1
        programs["not told apart"] = spent.pop("programs") - sum(programs.values())
        self.cpu = {name: seconds for name, seconds in (programs | spent).items() if seconds > 0.005}

    @property
    def ours(self) -> float:
        """Without Temporal, databases and object store."""
        return sum(seconds for name, seconds in self.cpu.items() if name not in self._servers)

    def _now(self) -> dict[str, float]:
        spent = {name: _own(process) for name, process in self._watched.items()}
        spent |= {name: _family(process) for name, process in self._servers.items()}
        below = [psutil.Process(pid).cpu_times() for pid in self._workers]
        return spent | {"programs": sum(each.children_user + each.children_system for each in below)}

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            for worker in self._workers:
                for pid in _children(worker):
                    try:
                        child = psutil.Process(pid)
                        key, told = (pid, child.create_time()), " ".join(child.cmdline())
                        spent = sum(child.cpu_times()[:2])
                    except psutil.Error:
                        continue
                    kind = next((kind for word, kind in PROGRAMS if word in told), "others")
                    if not told:  # it has ended, and nobody has asked for it yet
                        kind = self._seen.get(key, (kind, 0.0))[0]
                    self._seen[key] = kind, spent


async def stages(lab: Lab, workflow_id: str) -> dict[str, Stage]:
    """Of a workflow that has ended, by its history."""
    began = 0.0
    asked: dict[int, tuple[str, float]] = {}
    started: dict[int, float] = {}
    found: dict[str, list[tuple[float, float, float]]] = {}
    async for event in lab.temporal.get_workflow_handle(workflow_id).fetch_history_events():
        at = _seconds(event.event_time)
        began = began or at
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            asked[event.event_id] = STAGES.get(name, name), at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started[event.activity_task_started_event_attributes.scheduled_event_id] = at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            number = event.activity_task_completed_event_attributes.scheduled_event_id
            stage, since = asked[number]
            found.setdefault(stage, []).append((since, started[number], at))
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            found["all of it"] = [(began, began, at)]
    return {
        stage: Stage(
            runs=len(times),
            begun=min(start for _, start, _ in times) - began,
            over=max(end for _, _, end in times) - began,
            waited=sum(start - since for since, start, _ in times),
            worked=sum(end - start for _, start, end in times),
        )
        for stage, times in found.items()
    }


def show(meter: Meter, found: dict[str, Stage]) -> None:
    print(f"\n{'CPU-seconds':<28}{'spent':>8}{'runs':>6}")
    for name, seconds in sorted(meter.cpu.items(), key=lambda each: -each[1]):
        print(f"{name:<28}{seconds:8.2f}{meter.runs[name] or '':>6}")
    print(f"{'together':<28}{sum(meter.cpu.values()):8.2f}")
    print(f"\n{'wall seconds':<28}{'begun':>8}{'over':>8}{'worked':>8}{'waited':>8}{'runs':>6}")
    for name, stage in sorted(found.items(), key=lambda each: each[1].begun):
        print(
            f"{name:<28}{stage.begun:8.2f}{stage.over:8.2f}{stage.worked:8.2f}{stage.waited:8.2f}{stage.runs:6}"
        )
    print(flush=True)


def _own(process: Process) -> float:
    return float(sum(psutil.Process(process.pid).cpu_times()[:2]))


def _family(process: Process) -> float:
    spent = 0.0
    for member in process.family():
        try:
            spent += sum(member.cpu_times()[:4])
        except psutil.NoSuchProcess:  # just ended: its parent has its time
            continue
    return spent


def _children(pid: int) -> list[int]:
    """Cheaper than a look at every process of the machine."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:  # a thread that has just ended
            continue
    return found


def _seconds(stamp: Timestamp) -> float:
    return float(stamp.ToNanoseconds()) / 1e9

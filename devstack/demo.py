"""`make demo`: queue messages become a playable lecture and messages to parents, in front of your eyes."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth.service_keys import create_key
from clients.database.engine import create_engine
from clients.database.models import Job
from clients.settings import Settings
from contracts.rights import Right
from devstack import demo_ai, demo_messages, dev, programs
from devstack.app import EVERYTHING, App
from devstack.ports import LOOPBACK
from devstack.processes import StackError
from devstack.producer import Producer, encode_body
from devstack.stack import ROOT, Stack

FOLDER = ROOT / ".data" / "demo"
SAMPLE = ROOT / "samples" / "big-buck-bunny.mp4"
PAGE = ROOT / "samples" / "exam-page.png"
TENANT, VIDEO = 1, 42
POLL = 0.25

console = Console()
T = TypeVar("T")


def demo(video: str) -> None:
    """Raises StackError with one line when the encode fails or a server dies."""
    source = Path(video).expanduser().resolve()
    if not source.is_file():
        raise StackError(f"{source} is no file; make demo VIDEO=path/to/lecture.mp4")
    began = time.monotonic()
    print("starting Temporal, Postgres, SeaweedFS, SQS, Valkey …", flush=True)
    with Stack(FOLDER, fresh=True) as stack:
        _show(stack, source, began)


def _show(stack: Stack, source: Path, began: float) -> None:
    with App(stack, *EVERYTHING, RETIRE_GRACE_SECONDS="0") as app:
        settings = stack.settings()
        console.print(f"stack ready in {time.monotonic() - began:.1f} s")
        if source == SAMPLE:
            source = FOLDER / "lecture.mp4"
            repeat(SAMPLE, 6, source)
        producer = Producer(settings)
        key = producer.upload(TENANT, source)
        client = httpx.Client(base_url=app.api_url, headers={"Authorization": f"Bearer {_key(settings)}"})
        sent = time.monotonic()
        producer.send(settings.video_sqs_queue_name, encode_body(TENANT, VIDEO, key))
        console.print(f"sent the producer's message to [bold]{settings.video_sqs_queue_name}[/bold]")
        answer = _watch(client, app)
        took = time.monotonic() - sent
        if answer["status"] != "READY":
            raise StackError(f"the encode ended as {answer['status']}: {answer.get('error_reason')}")
        _report(stack, settings, client, answer, took)
        _messages(settings, producer, client, app)
        console.print(f"[bold]{'phones':<17}[/bold]{settings.solapi_base_url}", highlight=False)
        jobs = demo_ai.send(producer, settings, TENANT, FOLDER, PAGE)
        demo_ai.report(settings, demo_ai.watch(client, app, jobs, console), FOLDER, console)
        if sys.stdin.isatty():
            page = f"/console/lectures/{VIDEO}"
            console.print(dev.console_link(stack, app, page).strip(), soft_wrap=True, highlight=False)
            console.print("The link plays the lecture; documents, the roster and messages are beside it.")
            with dev.with_ui(stack, app):
                console.input("Everything stays up: Enter stops it …")


def _messages(settings: Settings, producer: Producer, client: httpx.Client, app: App) -> None:
    _with_database(settings, lambda connection: demo_messages.open_account(connection, TENANT))
    names = demo_messages.send_from_queue(producer, settings, TENANT)
    console.print(
        f"sent {len(names)} messages to [bold]{settings.messaging_sqs_queue_name}[/bold], and a notice"
    )
    jobs = {"notice to 1,000": demo_messages.send_notice(client)}
    with console.status("waiting for the bridge to accept the messages (log: .data/demo/logs/bridge.log)"):
        while len(accepted := _newest(settings)) < 3:
            if dead := app.dead():
                raise dead.died()
            time.sleep(POLL)
    demo_messages.watch(client, app, dict(zip(names, accepted, strict=True)) | jobs, console)


def _newest(settings: Settings) -> list[str]:
    return _with_database(settings, lambda each: demo_messages.newest_jobs(each, TENANT))


def _watch(client: httpx.Client, app: App) -> dict[str, Any]:
    """Show the progress that a teacher's page shows, until the video has a final status."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("waiting", total=100, left="")
        while True:
            if dead := app.dead():
                raise dead.died()
            response = client.get(f"/api/v1/media/videos/{VIDEO}/progress/")
            answer: dict[str, Any] = response.json() if response.status_code == 200 else {}
            if answer.get("status") in ("READY", "FAILED"):
                bar.update(task, completed=100, description="done", left="")
                return answer
            left = answer.get("encoding_remaining_seconds")
            bar.update(
                task,
                completed=answer.get("encoding_progress") or 0,
                description=answer.get("encoding_step_name") or "waiting",
                left=f"{left} s left" if left is not None else "",
            )
            time.sleep(POLL)


def _report(
    stack: Stack, settings: Settings, client: httpx.Client, answer: dict[str, Any], took: float
) -> None:
    playlist = f"{settings.r2_endpoint_url}/{settings.r2_bucket}/{answer['hls_path']}"
    master = httpx.get(playlist).raise_for_status().text
    lines = master.splitlines()
    best = next(line for line in lines if not line.startswith("#"))
    workflows = f"http://{LOOPBACK}:{stack.ports.front}/namespaces/default/workflows"
    duration = answer["duration"]
    facts = [("playlist", playlist)]
    facts += [("rendition", line.partition(":")[2]) for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    facts += [
        ("duration", f"{duration:.2f} s"),
        ("message to READY", f"{took:.1f} s"),
        ("pictures", str(_contact_sheet(f"{playlist.rpartition('/')[0]}/{best}", duration))),
        ("workflow", f"{workflows}/{_workflow_id(settings)}"),
    ]
    for name, fact in facts:
        console.print(f"[bold]{name:<17}[/bold]{fact}", soft_wrap=True, highlight=False)


def _contact_sheet(playlist: str, duration: float) -> Path:
    """Eight frames, decoded from the published playlist as a player would."""
    picture = FOLDER / "contact-sheet.png"
    filters = f"fps=8/{duration},scale=320:-2,tile=4x2"
    subprocess.run(
        [
            programs.ffmpeg(),
            "-v",
            "error",
            "-y",
            "-i",
            playlist,
            "-vf",
            filters,
            "-frames:v",
            "1",
            "-update",
            "1",
            str(picture),
        ],
        check=True,
    )
    return picture


def repeat(clip: Path, times: int, target: Path) -> None:
    """The sample is five seconds; a lecture of half a minute shows more."""
    loop = ["-stream_loop", str(times - 1), "-i", str(clip), "-c", "copy", str(target)]
    subprocess.run([programs.ffmpeg(), "-v", "error", "-y", *loop], check=True)


def _key(settings: Settings) -> str:
    async def create(connection: AsyncConnection) -> str:
        return await create_key(connection, TENANT, frozenset(Right))

    return _with_database(settings, create)


def _workflow_id(settings: Settings) -> str:
    async def read(connection: AsyncConnection) -> str:
        return str(await connection.scalar(select(Job.workflow_id).order_by(Job.seq.desc()).limit(1)))

    return _with_database(settings, read)


def _with_database(settings: Settings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = create_engine(settings, "demo")
        async with engine.begin() as connection:
            result = await work(connection)
        await engine.dispose()
        return result

    return asyncio.run(run())

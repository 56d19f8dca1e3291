"""`python -m workers video`: the encode and delete workflows, and everything that runs ffmpeg."""

import asyncio
import logging
import os
import shutil
from datetime import timedelta
from pathlib import Path

from temporalio.worker import Worker

from activities.host.heartbeat import BEATS_APART, Heartbeats
from activities.host.source_cache import SourceCache
from activities.video.encoding import EncodeActivities
from activities.video.ffmpeg import find_tools, fingerprint
from activities.video.lifecycle import LifecycleActivities
from clients import progress, temporal
from clients.database.engine import create_engine
from clients.objects import Objects
from clients.settings import Settings
from clients.vault import Vault
from contracts.names import TaskQueue
from intake.restore import Restorer
from workers.restoring import RestoringInterceptor
from workers.running import run_workers
from workflows.video.delete import DeleteVideo
from workflows.video.encode import EncodeVideo
from workflows.video.retire import RetireVersion

LIGHT_SLOTS = 8

log = logging.getLogger(__name__)


async def video(settings: Settings, stop: asyncio.Event) -> None:
    engine = create_engine(settings, "worker-video")
    client = await temporal.connect_when_up(settings, engine, stop)
    vault = Vault(settings.payload_keys.get_secret_value())
    objects = Objects(settings)
    board = progress.ProgressBoard(progress.connect(settings))
    tools = find_tools(settings.ffmpeg_binary, settings.ffprobe_binary)
    encoder = await fingerprint(tools)
    log.info("ffmpeg is %s, encoder %s", tools.ffmpeg, encoder)
    encoding = EncodeActivities(
        objects=objects,
        board=board,
        cache=SourceCache(settings.work_dir / "sources", settings.source_cache_bytes, objects),
        tools=tools,
        encoder=encoder,
        scratch=_scratch(settings.work_dir),
        max_source_bytes=settings.max_source_bytes,
        max_source_seconds=settings.max_source_seconds,
        vault=vault,
        encrypt=settings.hls_encryption,
    )
    lifecycle = LifecycleActivities(engine, objects, board, settings.retire_grace_seconds)
    grace = timedelta(seconds=settings.shutdown_grace_seconds)
    heartbeats = Heartbeats(client, settings.heartbeat_seconds)
    light = Worker(
        client,
        task_queue=TaskQueue.VIDEO_LIGHT,
        workflows=[EncodeVideo, DeleteVideo, RetireVersion],
        activities=[
            encoding.probe,
            lifecycle.begin,
            lifecycle.publish,
            lifecycle.mark_deleted,
            lifecycle.erase,
        ],
        interceptors=[heartbeats, RestoringInterceptor(Restorer(engine, vault))],
        max_heartbeat_throttle_interval=BEATS_APART,
        max_concurrent_activities=LIGHT_SLOTS,
        graceful_shutdown_timeout=grace,
        deployment_config=temporal.build(settings),
    )
    encode = Worker(
        client,
        task_queue=TaskQueue.VIDEO_ENCODE,
        activities=[encoding.encode_batch, encoding.encode_audio, encoding.make_pictures],
        interceptors=[heartbeats],
        max_heartbeat_throttle_interval=BEATS_APART,
        max_concurrent_activities=settings.encode_slots,
        graceful_shutdown_timeout=grace,
        deployment_config=temporal.build(settings),
    )
    await run_workers([light, encode], stop)
    await engine.dispose()


def _scratch(work_dir: Path) -> Path:
    """A folder for segments in the making, one a process; those of dead processes are removed."""
    root = work_dir / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    own = root / str(os.getpid())
    own.mkdir(exist_ok=True)
    return own

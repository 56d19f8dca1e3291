"""`python -m workers video`: the encode and delete workflows, and everything that runs ffmpeg."""

import asyncio
import logging
from datetime import timedelta

from temporalio.worker import Worker

from activities.host.heartbeat import Heartbeats
from activities.host.room import Room
from activities.host.scratch import own_scratch
from activities.host.source_cache import SourceCache, keep_swept
from activities.video.builds import Builds
from activities.video.download import DownloadActivities
from activities.video.encoding import EncodeActivities
from activities.video.ffmpeg import find_tools, fingerprint
from activities.video.lifecycle import LifecycleActivities
from activities.video.marks import unknown_letters
from activities.video.probing import ProbeActivities
from activities.video.sources import Sources
from activities.video.trim_lifecycle import TrimLifecycleActivities
from activities.video.trimming import TrimActivities
from clients import metrics, progress, temporal
from clients.confinement import keep_telling
from clients.database.engine import create_engine
from clients.objects import Objects
from clients.settings import Settings
from clients.vault import Vault
from contracts.names import TaskQueue, queue_of_build
from intake.restore import Restorer
from workers.cages import check_cage
from workers.measuring import MeasuringInterceptor
from workers.refusing import RefusingInterceptor
from workers.restoring import RestoringInterceptor
from workers.running import run_workers
from workers.slots import slots_with_room
from workflows.video.delete import DeleteVideo
from workflows.video.encode import EncodeVideo
from workflows.video.retire import RetireVersion
from workflows.video.trim import TrimVideo

LIGHT_SLOTS = 8
IDLE = 86400.0  # seconds that a source is kept after its last use: its tenant may be erased meanwhile

log = logging.getLogger(__name__)


async def video(settings: Settings, stop: asyncio.Event) -> None:
    """Raises ValueError where a watermark has letters that cannot be drawn."""
    for tenant_id, mark in settings.watermarks:
        if unknown := unknown_letters(mark.text or ""):
            raise ValueError(f"WATERMARKS: of tenant {tenant_id}, the font has no {unknown}")
    engine = create_engine(settings, "worker-video")
    client = await temporal.connect_when_up(settings, engine, stop)
    vault = Vault(settings.payload_keys.get_secret_value())
    objects = Objects(settings)
    redis = progress.connect(settings)
    board = progress.ProgressBoard(redis)
    tools = find_tools(settings.ffmpeg_binary, settings.ffprobe_binary)
    encoder = await fingerprint(tools)
    log.info("ffmpeg is %s, encoder %s", tools.ffmpeg, encoder)
    scratch = own_scratch(settings.work_dir)
    metrics.show_disk("video", scratch)
    missing = check_cage(settings, scratch)
    room = Room(scratch)
    cache = SourceCache(settings.work_dir / "sources", settings.source_cache_bytes, objects, room, idle=IDLE)
    sources = Sources(tools, cache, room)
    probing = ProbeActivities(
        objects=objects,
        board=board,
        sources=sources,
        tools=tools,
        encoder=encoder,
        scratch=scratch,
        max_source_bytes=settings.max_source_bytes,
        max_source_seconds=settings.max_source_seconds,
        vault=vault,
        encrypt=settings.hls_encryption,
        key_segments=settings.hls_key_segments,
        ladder=settings.ladder_of,
        watermark=settings.watermark_of,
    )
    encoding = EncodeActivities(
        objects=objects,
        builds=Builds(client),
        board=board,
        sources=sources,
        tools=tools,
        encoder=encoder,
        scratch=scratch,
        room=room,
        vault=vault,
    )
    trimming = TrimActivities(
        objects=objects,
        board=board,
        probing=probing,
        sources=sources,
        tools=tools,
        encoder=encoder,
        scratch=scratch,
        room=room,
        vault=vault,
        encrypt=settings.hls_encryption,
        key_segments=settings.hls_key_segments,
    )
    downloads = DownloadActivities(
        engine=engine, objects=objects, vault=vault, tools=tools, scratch=scratch, room=room
    )
    trims = TrimLifecycleActivities(engine, objects, board, settings.retire_grace_seconds)
    lifecycle = LifecycleActivities(engine, objects, board, settings.retire_grace_seconds)
    grace = timedelta(seconds=settings.shutdown_grace_seconds)
    heartbeats = Heartbeats(client, settings.heartbeat_seconds)
    light = Worker(
        client,
        task_queue=TaskQueue.VIDEO_LIGHT,
        workflows=[EncodeVideo, DeleteVideo, RetireVersion, TrimVideo],
        activities=[
            probing.probe,
            lifecycle.begin,
            lifecycle.publish,
            lifecycle.mark_deleted,
            lifecycle.erase,
            trims.begin,
            trims.publish,
        ],
        interceptors=[
            MeasuringInterceptor(),
            heartbeats,
            RefusingInterceptor(),
            RestoringInterceptor(Restorer(engine, vault)),
        ],
        max_heartbeat_throttle_interval=timedelta(seconds=settings.heartbeat_throttle_seconds),
        max_concurrent_activities=LIGHT_SLOTS,
        graceful_shutdown_timeout=grace,
        disable_eager_activity_execution=True,  # of a paused queue nothing is handed out
        deployment_config=temporal.build(settings),
    )
    encode = [
        Worker(
            client,
            task_queue=queue,
            activities=[
                encoding.encode_batch,
                encoding.encode_audio,
                encoding.make_pictures,
                trimming.cut,
                downloads.make,
            ],
            interceptors=[MeasuringInterceptor(), heartbeats],
            max_heartbeat_throttle_interval=timedelta(seconds=settings.heartbeat_throttle_seconds),
            tuner=slots_with_room(settings.encode_slots, cache.make_room),
            graceful_shutdown_timeout=grace,
            deployment_config=temporal.build(settings),
        )
        # Who polls the second tells others that workers of this build live. Nothing is sent there before all
        # workers, those of the release before too, poll theirs.
        for queue in (TaskQueue.VIDEO_ENCODE, queue_of_build(encoder))
    ]
    await run_workers([light, *encode], stop, keep_swept(cache), keep_telling(redis, "video", missing))
    await engine.dispose()

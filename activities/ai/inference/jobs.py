"""Jobs that ask model servers, joined to the worker: their file, their finished parts, their results."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.ai.captions import CaptionJobs, NotPlaced
from activities.ai.inference.asking import Inferred, Report, StoredUnits, model_errors
from activities.ai.inference.embedding import embedding
from activities.ai.inference.handwriting import handwriting_analysis
from activities.ai.inference.homework import homework_video_analysis
from activities.ai.inference.problems import problem_generation
from activities.ai.inference.transcription import transcription
from activities.ai.sandbox.task import BadInput
from activities.ai.source import Sources
from activities.ai.storing import digest_of, kind_of, parameters_of, result_prefix, work_prefix
from activities.host.source_cache import SourceCache
from activities.host.threads import in_thread
from activities.host.turns import Turn
from activities.implements import implements
from activities.video.ffmpeg import Tools
from clients.database import jobs, videos
from clients.inference import Models
from clients.objects import Objects
from clients.progress import ProgressBoard
from contracts.activities import ai
from contracts.ai import PlannedJob
from contracts.catalog import ai_job
from contracts.errors import FILE_MISSING, ErrorType
from contracts.jobs import JobOutcome, JobRef
from contracts.progress import ai_progress
from contracts.video import SourceRef, hls_root

HOMEWORK_BYTES = 2 << 30
VERSION = 1  # of prompts and parts, as a task's: finished parts are found again by it
SHOWN_EVERY = 1.0  # seconds
OF_ANOTHER_FILE = "the lecture was trimmed, and not out of this file: it has no subtitles of it"


class Inference:
    def __init__(
        self,
        *,
        engine: AsyncEngine,
        objects: Objects,
        board: ProgressBoard,
        cache: SourceCache,
        sources: Sources,
        tools: Tools,
        models: Models,
        scratch: Path,
        max_lecture_bytes: int,
        captions: CaptionJobs,
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._board = board
        self._cache = cache
        self._sources = sources
        self._tools = tools
        self._models = models
        self._scratch = scratch
        self._max_lecture_bytes = max_lecture_bytes
        self._captions = captions

    def lacks_model(self, ref: JobRef) -> bool:
        """Whether the job has to wait for somebody to name a server."""
        needs = ai_job(ref).needs
        return needs is not None and not self._models.has(needs)

    @implements(ai.REQUIRE_MODEL)
    async def require_model(self, ref: JobRef) -> None:
        """Succeeds on a worker whose settings name the job's model server. Raises ApplicationError
        MODEL_NOT_CONFIGURED, to be tried again in a minute."""
        needs = ai_job(ref).needs
        assert needs is not None, "a job that was planned as lacking it"
        with model_errors():
            self._models.name(needs)

    async def run(self, ref: JobRef, payload: Mapping[str, Any]) -> JobOutcome:
        """A job that asks models, to its end. Raises BadInput, ApplicationError MODEL_*."""
        name = ref.job_type.removeprefix("ai.")
        with TemporaryDirectory(dir=self._scratch) as folder:
            async with self._shown(ref) as report:
                done, source = await self._asked(name, ref, payload, Path(folder), report)
            files = await self._stored(ref, done)
        if source and ai_job(ref).of_lectures and payload.get("video_id"):
            done = await self._attached(ref, payload["video_id"], done, source)
        result: dict[str, Any] = {"summary": done.summary, "files": files}
        if done.review:
            result["review"] = done.review[:100]
        return JobOutcome(state=done.state, result=result)

    async def read_pages(self, what: PlannedJob, pages: Path, turn: Turn) -> Inferred:
        """`handwriting_analysis` of the pictures in the folder `pages`. Raises ApplicationError MODEL_*, and
        `Turn.ended`."""
        with model_errors():
            model = self._models.name("handwriting")
        # Lines that another model has read are none of this one's.
        units = StoredUnits(
            self._objects, f"{what.plan.prefix}{hashlib.sha256(model.encode()).hexdigest()[:16]}/", turn
        )
        async with self._shown(what.job) as report:
            return await handwriting_analysis(pages, models=self._models, units=units, on_progress=report)

    async def _asked(
        self, name: str, ref: JobRef, payload: Mapping[str, Any], scratch: Path, report: Report
    ) -> tuple[Inferred, SourceRef | None]:
        """And the film that it is of."""
        match name:
            case "embedding":
                texts = payload["texts"]
                done = await embedding(texts, models=self._models, scratch=scratch, on_progress=report)
                return done, None
            case "problem_generation":
                text = payload["ocr_text"]
                return await problem_generation(text, models=self._models, on_progress=report), None
        source = await self._source(ref, payload)
        async with self._film(name, ref, payload, source) as (film, units):
            if name == "transcription":
                done = await transcription(
                    film,
                    tools=self._tools,
                    models=self._models,
                    units=units,
                    scratch=scratch,
                    on_progress=report,
                )
                return done, source
            done = await homework_video_analysis(
                film,
                [question["number"] for question in payload.get("questions") or ()],
                tools=self._tools,
                models=self._models,
                units=units,
                scratch=scratch,
                on_progress=report,
            )
            return done, source

    @asynccontextmanager
    async def _film(
        self, name: str, ref: JobRef, payload: Mapping[str, Any], source: SourceRef
    ) -> AsyncIterator[tuple[Path, StoredUnits]]:
        """The job's film on this host for as long as the body runs, and where finished parts of it are."""
        turn, tenant, job = Turn(), ref.tenant_id or 0, ai_job(ref)
        model = self._models.name(job.film) if job.film and self._models.has(job.film) else None
        async with self._cache.held(source) as film:
            digest = await in_thread(digest_of, film)
            identity = parameters_of(payload) | {"model": model}
            prefix = work_prefix(tenant, digest, task=name, version=VERSION, identity=identity)
            yield film, StoredUnits(self._objects, prefix, turn)

    async def _source(self, ref: JobRef, payload: Mapping[str, Any]) -> SourceRef:
        """Raises BadInput."""
        limit = HOMEWORK_BYTES
        if ai_job(ref).of_lectures:
            limit = self._max_lecture_bytes
            if not payload.get("file_key"):
                key = await self._uploaded(ref.tenant_id or 0, payload["video_id"])
                payload = {**payload, "file_key": key}
        source, _ = await self._sources.find(ref, payload, limit)
        return source

    async def _uploaded(self, tenant: int, video_id: int) -> str:
        """What the lecture is of: as it is shown, else as it is being encoded."""
        async with self._engine.connect() as connection:
            video = await videos.find(connection, tenant, video_id)
        if video is None or not video.file_key:
            raise BadInput(FILE_MISSING)
        return await self._captions.source_of(tenant, video_id) or video.file_key

    async def _stored(self, ref: JobRef, done: Inferred) -> dict[str, str]:
        prefix = result_prefix(ref.tenant_id or 0, ref.job_id)
        files = {name: prefix + name for name in done.files}
        for name, key in files.items():
            await in_thread(self._objects.put, key, done.files[name], kind_of(name))
        return files

    async def _attached(self, ref: JobRef, video_id: int, done: Inferred, source: SourceRef) -> Inferred:
        """An object of its own beside the video's versions: published ones stay as they are, a new one keeps
        the subtitles, and what deletes the video deletes them. With what is to be told of it."""
        tenant = ref.tenant_id or 0
        key = f"{hls_root(tenant, video_id)}subtitles/{ref.job_id.hex}.vtt"
        webvtt = done.files["subtitles.vtt"]
        assert isinstance(webvtt, bytes), "what `transcription` makes"
        try:
            heard = await self._captions.placed(tenant, video_id, webvtt.decode(), source)
        except NotPlaced:
            return _with(done, {"attached": False}, OF_ANOTHER_FILE)
        await in_thread(self._objects.put, key, heard.webvtt.encode(), kind_of(key))
        async with self._engine.begin() as connection:
            attached = await videos.attach_subtitles(connection, tenant, video_id, key, of=heard.prefix)
            video = await videos.find(connection, tenant, video_id)
            if attached:
                await jobs.add_event(connection, ref.job_id, jobs.STORED)
        if not attached:
            await in_thread(self._objects.delete, key)
            if video and not video.deleted_at:
                raise ApplicationError("another version is shown by now", type=ErrorType.LOST_RACE)
            return _with(done, {"attached": False})
        # As captions only of a lecture that is shown already; the link of before has them in any case.
        return _with(done, {"attached": True, "captions": await self._captions.machine_made(ref, heard)})

    @asynccontextmanager
    async def _shown(self, ref: JobRef) -> AsyncIterator[Report]:
        """What is reported inside the body is shown, from time to time."""
        done = 0.0

        def report(now: float) -> None:
            nonlocal done
            done = now

        async def show() -> None:
            shown = -1.0
            while True:
                if done != shown:
                    shown = done
                    await self._board.show_job(ref.tenant_id or 0, ref.job_id, ai_progress("run", done))
                await asyncio.sleep(SHOWN_EVERY)

        showing = asyncio.create_task(show())
        try:
            yield report
        finally:
            showing.cancel()


def _with(done: Inferred, told: dict[str, bool], *review: str) -> Inferred:
    return replace(done, summary=done.summary | told, review=(*done.review, *review))

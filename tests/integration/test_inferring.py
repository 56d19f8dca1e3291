"""Texts, pages and films on their way through a model: real ffmpeg, a model server of the test's own."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi import Request, Response
from PIL import Image
from temporalio.exceptions import ApplicationError

from activities.ai.inference.embedding import embedding
from activities.ai.inference.handwriting import handwriting_analysis
from activities.ai.inference.homework import homework_video_analysis
from activities.ai.inference.pages import HANDWRITING
from activities.ai.inference.problems import problem_generation
from activities.ai.inference.quality import measure
from activities.ai.sandbox.task import BadInput
from clients.inference import Models
from contracts.jobs import JobState
from tests.integration.model_server import Kept, at, content, nothing, said, vectors
from tests.integration.serving import bare_settings, serving
from tests.unit.media import TOOLS, ffmpeg

EXAM = Path(__file__).parents[2] / "samples" / "exam-page.png"
CANARY = "canary-학생의 글"


# --- Pages ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the child leaves of a document of a written page, an empty one and another written one."""
    tmp_path, exam = tmp_path_factory.mktemp("pages"), cv2.imread(str(EXAM))
    assert exam is not None
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, picture in zip(files, (exam, np.full_like(exam, 250), exam), strict=True):
        cv2.imwrite(str(file), picture)
    units, out, results = tmp_path / "units", tmp_path / "out", []
    out.mkdir()
    for number, file in enumerate(files, 1):
        assert HANDWRITING.plan(file, {}) == ["page-0001"]
        unit = f"page-{number:04}"
        (units / unit).mkdir(parents=True)
        results.append((unit, HANDWRITING.run(file, "page-0001", {}, units / unit)))
    assembled = HANDWRITING.assemble(files[0], results, parameters={}, units=units, out=out)
    assert set(assembled.files) == {path.name for path in out.iterdir()}
    return out


WRITTEN = json.dumps({"lines": [{"text": "x = 3", "unsure": False}, {"text": "y ?", "unsure": True}]})


async def test_handwriting_is_read_page_by_page(pages: Path) -> None:
    kept, reported = Kept(), []
    async with serving(lambda _, __: said(WRITTEN)) as (desk, port):
        models = Models(at(port))
        done = await handwriting_analysis(pages, models=models, units=kept, on_progress=reported.append)
        assert len(desk.asked) == 2, "an empty page is not shown"
        again = await handwriting_analysis(pages, models=models, units=kept, on_progress=nothing)
        assert len(desk.asked) == 2, "what is finished is not asked again"
        await models.aclose()
    assert done == again and done.state == JobState.REVIEW_REQUIRED
    assert reported == [1 / 3, 2 / 3, 1]
    assert done.summary == {
        "pages": 3,
        "blank": 1,
        "blurred": 0,
        "lines": 4,
        "unsure": 2,
        "model": "the-handwriting",
        "machine_made": True,
    }
    found = content(done, "handwriting.json")["found"]
    assert [(page["page"], len(page["lines"])) for page in found] == [
        ("page-0001.jpg", 2),
        ("page-0002.jpg", 0),
        ("page-0003.jpg", 2),
    ]
    shown = json.loads(desk.asked[0][1])["messages"][0]["content"][1]["image_url"]["url"]
    assert shown.startswith("data:image/jpeg;base64,/9j/")


async def test_pages_that_were_read_stay_read(pages: Path) -> None:
    kept = Kept()
    statuses = iter([200, 500])

    def reply(_: Request, __: bytes) -> Response:
        return said(WRITTEN) if next(statuses) == 200 else Response(status_code=500)

    async with serving(reply) as (desk, port):
        models = Models(at(port))
        with pytest.raises(ApplicationError) as raised:
            await handwriting_analysis(pages, models=models, units=kept, on_progress=nothing)
        assert (raised.value.type, raised.value.non_retryable) == ("MODEL_UNAVAILABLE", False)
        desk.reply = lambda _, __: said(WRITTEN)
        await handwriting_analysis(pages, models=models, units=kept, on_progress=nothing)
        await models.aclose()
    assert len(desk.asked) == 3, "the first page once, the second twice"


async def test_without_a_model_handwriting_waits(pages: Path) -> None:
    models = Models(bare_settings())
    with pytest.raises(ApplicationError) as raised:
        await handwriting_analysis(pages, models=models, units=Kept(), on_progress=nothing)
    assert (raised.value.type, raised.value.non_retryable) == ("MODEL_NOT_CONFIGURED", False)
    await models.aclose()


def test_a_document_with_too_many_pages(tmp_path: Path) -> None:
    page = Image.new("L", (20, 20), 255)
    file = tmp_path / "many.pdf"
    page.save(file, save_all=True, append_images=[page] * 50)
    with pytest.raises(BadInput, match="TOO_MANY_PAGES"):
        HANDWRITING.plan(file, {})


@pytest.mark.parametrize(("light", "noise"), [(1.0, 0), (0.5, 6)])
def test_blur_and_emptiness_are_measured(light: float, noise: int) -> None:
    """In weak and uneven light and with noise, which fool measures that look at all pixels."""
    exam = cv2.imread(str(EXAM), cv2.IMREAD_GRAYSCALE)
    assert exam is not None
    exam = cv2.resize(exam, (1280, round(exam.shape[0] * 1280 / exam.shape[1])), interpolation=cv2.INTER_AREA)
    few = np.full_like(exam, 250)
    cv2.putText(few, "x = 3", (200, 400), cv2.FONT_HERSHEY_SIMPLEX, 4, 60, 6)
    random = np.random.default_rng(1)

    def taken(page: Any, blur: float) -> Any:
        picture = cv2.GaussianBlur(page, (0, 0), blur) if blur else page
        picture = picture * np.linspace(0.6, 1, page.shape[1]) * light + random.normal(0, noise, page.shape)
        return measure(picture.clip(0, 255).astype(np.uint8))

    for page in (exam, few):
        assert not taken(page, 0).blank and not taken(page, 0).blurred
        assert taken(page, 6).blurred
    assert taken(np.full_like(exam, 250), 0).blank


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of a page in focus, four out of focus, four of darkness."""
    file = tmp_path_factory.mktemp("film") / "homework.mp4"
    page = f"-loop 1 -framerate 1 -t 12 -i {EXAM} -f lavfi -i color=black:s=640x360:r=5:d=4"
    blur = "gblur=sigma=6:enable='gte(t,8)'"
    chain = f"[0:v]scale=640:-2,crop=640:360:0:0,setsar=1,fps=5,{blur}[page];[page][1:v]concat=n=2[v]"
    ffmpeg(f"{page} -filter_complex {chain} -map [v] -c:v libx264 -pix_fmt yuv420p -g 10", str(file))
    return file


SCENE = {"shows_homework": True, "question_numbers": [2, 5], "has_written_work": True, "description": "공책"}


async def look(film: Path, scratch: Path, models: Models, kept: Kept, questions: list[int]) -> Any:
    scratch.mkdir()
    reported: list[float] = []
    done = await homework_video_analysis(
        film,
        questions,
        tools=TOOLS,
        models=models,
        units=kept,
        scratch=scratch,
        on_progress=reported.append,
    )
    assert reported == sorted(reported) and reported[-1] <= 1
    return done


async def test_sharp_frames_of_homework_are_looked_at(film: Path, tmp_path: Path) -> None:
    kept = Kept()
    async with serving(lambda _, __: said(json.dumps(SCENE))) as (desk, port):
        models = Models(at(port))
        done = await look(film, tmp_path / "a", models, kept, [1, 2, 3])
        assert len(desk.asked) == 2
        await look(film, tmp_path / "b", models, kept, [1, 2, 3])
        assert len(desk.asked) == 2, "what is finished is not asked again"
        await models.aclose()
    assert done.state == JobState.REVIEW_REQUIRED
    assert done.summary == {
        "seconds": 16.0,
        "frames": 4,
        "blank": 1,
        "blurred": 1,
        "looked_at": 2,
        "model": "the-handwriting",
        "machine_made": True,
        "questions_seen": [2],
        "questions_not_seen": [1, 3],
    }
    found = content(done, "frames.json")["found"]
    assert [frame["seconds"] for frame in found] == [2, 6, 10, 14]
    assert [(frame["blurred"], frame["blank"]) for frame in found] == [
        (False, False),
        (False, False),
        (True, False),
        (False, True),
    ]
    assert ["seen" in frame for frame in found] == [True, True, False, False]
    for frame in found:
        assert cv2.imread(str(done.files[frame["name"]])) is not None


async def test_without_a_model_there_are_frames_for_a_person(film: Path, tmp_path: Path) -> None:
    models = Models(bare_settings())
    done = await look(film, tmp_path / "a", models, Kept(), [])
    await models.aclose()
    assert (done.state, done.review) == (JobState.REVIEW_REQUIRED, ("no model has looked at it",))
    assert (done.summary["frames"], done.summary["looked_at"], done.summary["model"]) == (4, 0, None)


@pytest.mark.parametrize(
    ("data", "code"), [(b"no film", "NOT_A_VIDEO"), (b"#EXTM3U\n/etc/passwd\n", "NOT_A_VIDEO")]
)
async def test_what_is_no_film_is_refused(data: bytes, code: str, tmp_path: Path) -> None:
    file = tmp_path / "film.mp4"
    file.write_bytes(data)
    models = Models(bare_settings())
    with pytest.raises(BadInput, match=code):
        await look(file, tmp_path / "a", models, Kept(), [])
    await models.aclose()


# --- Texts ---


@pytest.fixture
async def progress() -> AsyncIterator[list[float]]:
    """What a job reported; it must only grow, to 1 at most."""
    reported: list[float] = []
    yield reported
    assert reported == sorted(reported) and all(0 <= each <= 1 for each in reported)


async def test_many_texts_go_in_batches(progress: list[float], tmp_path: Path) -> None:
    texts = [f"글 {number}" for number in range(150)]

    def reply(_: Request, body: bytes) -> Response:
        batch = json.loads(body)["input"]
        if len(desk.asked) == 2:  # one that is not usable is asked again
            return vectors(*[[1.0]] * (len(batch) - 1))
        return vectors(*([float(text.split()[1]), 0.5] for text in batch))

    async with serving(reply) as (desk, port):
        models = Models(at(port))
        done = await embedding(texts, models=models, scratch=tmp_path, on_progress=progress.append)
        await models.aclose()
    assert len(desk.asked) == 4
    assert (done.state, done.summary) == (
        JobState.DONE,
        {"texts": 150, "dimensions": 2, "model": "the-embedding"},
    )
    found = content(done, "embeddings.json")
    assert [vector[0] for vector in found["vectors"]] == list(range(150))
    assert progress[-1] == 1


async def test_a_model_that_keeps_talking_nonsense_fails_the_job(
    progress: list[float], tmp_path: Path
) -> None:
    async with serving(lambda _, __: vectors([1.0])) as (desk, port):
        models = Models(at(port))
        with pytest.raises(ApplicationError) as raised:
            await embedding(["a", "b"], models=models, scratch=tmp_path, on_progress=progress.append)
        await models.aclose()
    assert (raised.value.type, raised.value.non_retryable, len(desk.asked)) == (
        "MODEL_ANSWER_UNUSABLE",
        True,
        3,
    )


async def test_batches_of_two_models_are_not_mixed(progress: list[float], tmp_path: Path) -> None:
    def reply(_: Request, body: bytes) -> Response:
        return vectors(*[[0.0] * len(desk.asked)] * len(json.loads(body)["input"]))

    async with serving(reply) as (desk, port):
        models = Models(at(port))
        with pytest.raises(ApplicationError, match="different lengths"):
            await embedding(["x"] * 65, models=models, scratch=tmp_path, on_progress=progress.append)
        await models.aclose()


GOOD = {
    "question": "x² = 4 일 때 양수 x는?",
    "choices": ["1", "2", "3"],
    "answer": "2",
    "explanation": "2² = 4",
    "difficulty": "하",
}


async def test_problems_are_always_for_review(progress: list[float]) -> None:
    answers = [
        {"problems": []},
        {"problems": [GOOD | {"answer": "4"}]},
        {"problems": [GOOD, GOOD | {"choices": [], "answer": "둘"}]},
    ]
    async with serving(lambda _, __: said(json.dumps(answers.pop(0)))) as (desk, port):
        models = Models(at(port))
        done = await problem_generation(CANARY, models=models, on_progress=progress.append)
        await models.aclose()
    assert len(desk.asked) == 3
    assert done.state == JobState.REVIEW_REQUIRED
    assert done.summary == {"problems": 2, "model": "the-chat", "machine_made": True}
    assert json.loads(done.files["problems.json"])["problems"][0] == GOOD  # type: ignore[arg-type]
    body = json.loads(desk.asked[0][1])
    assert [(each["role"], CANARY in each["content"]) for each in body["messages"]] == [
        ("system", False),
        ("user", True),
    ], "what was read from a page is data, not an instruction"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "Sure! Here are some problems:",
        json.dumps({"problems": [GOOD | {"question": " "}]}),
        json.dumps({"problems": [GOOD | {"choices": ["2", "2"]}]}),
        json.dumps({"problems": [GOOD | {"difficulty": "easy"}]}),
        json.dumps({"problems": [GOOD], "note": CANARY}),
    ],
)
async def test_problems_that_are_none(wrong: str, progress: list[float]) -> None:
    async with serving(lambda _, __: said(wrong)) as (_, port):
        models = Models(at(port))
        with pytest.raises(ApplicationError) as raised:
            await problem_generation("x", models=models, on_progress=progress.append)
        await models.aclose()
    assert raised.value.type == "MODEL_ANSWER_UNUSABLE"
    assert "canary" not in str(raised.value)

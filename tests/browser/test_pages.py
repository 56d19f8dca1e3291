"""Each page of the console does in a real browser what it is for."""

import asyncio
import re
from pathlib import Path

import pytest
import xlsxwriter
from PIL import Image
from playwright.async_api import Request, Route, expect
from sqlalchemy import select

from api import fleet
from clients.database.academy_models import Student
from clients.database.seats import today
from contracts.names import TaskQueue
from devstack.demo_ai import BAD, GOOD, HEADER
from devstack.producer import encode_body
from tests.browser.conftest import Visit
from tests.lab import CLIP, PATIENCE, SAMPLE, fresh_id
from tests.messages import phones

pytestmark = pytest.mark.asyncio(loop_scope="package")
PAGE = SAMPLE.with_name("exam-page.png")
MOST_SCRIPT = 100_000  # bytes on the wire of a page; the player's own come with a lecture
SCRIPTS = """performance.getEntriesByType("resource").filter((each) => each.initiatorType === "script")
    .reduce((sum, each) => sum + each.encodedBodySize, 0)"""


async def test_a_lecture_is_uploaded_encoded_and_played(visit: Visit) -> None:
    page = visit.page
    # Or it may be encoded before the page is there again.
    await fleet.pause(visit.lab.temporal, TaskQueue.VIDEO_ENCODE, paused=True)
    await visit.open("/console/lectures")
    async with visit.lost_answers("/api/v1/videos"):
        await page.set_input_files("#file", CLIP)
        await expect(page.locator("#uploads .why")).to_contain_text("두 번 처리되지 않습니다")
        await page.reload()
    await page.set_input_files("#file", CLIP)
    try:
        await expect(page.locator("#grid .lecture [data-watch] progress")).to_be_attached()
        await expect(page.locator("#grid .lecture")).to_have_count(1)
    finally:
        await fleet.pause(visit.lab.temporal, TaskQueue.VIDEO_ENCODE, paused=False)
    assert len(await visit.lab.jobs(visit.tenant)) == 1
    await expect(page.locator("#grid .badge.good")).to_be_visible()
    await visit.until("document.querySelector('#grid img').naturalWidth > 0")
    asked: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    await page.route("**/playback/start/", lambda route: asked.set_result(route))
    await visit.follow(page.locator("#grid h2 a"))
    held = await asyncio.wait_for(asked, PATIENCE)
    await expect(page.locator("#play")).to_be_disabled()  # nothing to play yet: a click would be lost
    await held.continue_()
    await page.unroute_all()
    await page.click("#play")
    await visit.until("document.getElementById('video').currentTime > 1")
    assert await page.text_content("#mark")
    await page.hover("#seek")
    await expect(page.locator("#preview")).to_be_visible()
    await page.click("#mute")
    assert await page.evaluate("document.getElementById('video').muted")
    await page.fill("#volume", "0.5")
    assert await page.evaluate("document.getElementById('video').volume") == 0.5
    await page.select_option("#rate", "2")
    assert await page.evaluate("document.getElementById('video').playbackRate") == 2
    assert await visit.grave() == []
    video = "document.getElementById('video')"
    await page.evaluate(f"{video}.pause()")
    await page.evaluate(f"{video}.currentTime = 2")
    async with visit.lost(re.compile(r"\.m3u8|\.m4s")):
        await page.reload()
        await expect(page.locator("#message")).to_contain_text("연결을 기다리고")
        await expect(page.locator("#live")).to_have_text("0:02부터 이어서 봅니다.")
    await page.click("#play")
    await visit.until(f"{video}.currentTime > 2")
    await expect(page.locator("#message")).to_be_hidden()
    assert visit.asked == []
    await visit.open("/console/lectures")
    await page.click("#grid .acts summary")
    await page.click("#grid [data-rename]")
    await page.fill("#rename-to", "1강 (월)")
    await page.click("#rename .main")
    await expect(page.locator("#grid h2")).to_have_text("1강 (월)")
    await page.check("#grid .choose input")
    await expect(page.locator("#several-count")).to_have_text("1개 선택")
    await page.click("[data-several='video.delete']")
    await expect(page.locator("#grid .lecture")).to_have_count(0)
    (question,) = visit.asked
    assert question.startswith("confirm 강의 1개를 영상과 원본까지 삭제할까요?")


async def test_an_upload_goes_on_after_a_reload(visit: Visit, tmp_path: Path) -> None:
    page, file = visit.page, tmp_path / "long.mp4"
    with file.open("wb") as sparse:
        sparse.truncate(101 << 20)
    done: list[str] = []
    parts = re.compile(r"partNumber=(\d)")

    async def two_alone(route: Route) -> None:
        """Of the other parts' links none comes before the reload."""
        if route.request.post_data_json["numbers"][0] <= 2:
            await route.continue_()

    def finished(request: Request) -> None:
        if part := parts.search(request.url):
            done.append(f"{request.method} {part[1]}")

    page.on("requestfinished", finished)
    await page.route("**/api/v1/uploads/*/parts", two_alone)
    await visit.open("/console/lectures")
    await page.set_input_files("#file", file)
    kept = "Object.keys(localStorage).find((name) => name.startsWith('upload:'))"
    look = f"fetch('/api/v1/uploads/' + JSON.parse(localStorage[{kept}]).upload_id).then((it) => it.json())"
    await visit.until(kept)
    await visit.until(f"{look}.then(({{ parts }}) => parts.length === 2)")
    await page.reload()
    await page.unroute_all()
    await expect(page.locator("#uploads")).to_contain_text("같은 파일을 다시 고르면")
    await visit.until("document.querySelector('#uploads progress').value > 25")
    await page.set_input_files("#file", file)
    await expect(page.locator("#uploads li")).to_have_count(0)
    assert sorted(each for each in done if each.startswith("PUT")) == [f"PUT {n}" for n in range(1, 8)]
    assert (await visit.lab.only_job(visit.tenant)).job_type == "video.encode"


async def test_words_lie_over_the_page_that_they_were_read_from(visit: Visit, tmp_path: Path) -> None:
    """On every page of a document, whose pages are turned over by the keyboard."""
    page, file = visit.page, tmp_path / "exam.pdf"
    with Image.open(PAGE) as whole:
        first, second = whole.crop((0, 0, whole.width, 500)), whole.crop((0, 510, whole.width, 745))
        first.save(file, resolution=300, save_all=True, append_images=[second])
    await visit.open("/console/ocr")
    await page.set_input_files("#file", file)
    await page.wait_for_url("**/console/ocr/*-*")
    await expect(page.locator("#page .word").first).to_be_attached()
    await expect(page.locator("#text")).to_contain_text("일차방정식")
    place = "document.querySelector('#page image').getBoundingClientRect()"
    picture = await page.evaluate(f"({{left: {place}.left, width: {place}.width}})")
    word = await page.locator("#page .word", has_text="중학교").first.bounding_box()
    assert word and picture["width"] > 300
    assert 0.2 < (word["x"] - picture["left"]) / picture["width"] < 0.5
    assert await page.locator(".word.sure").count() > 5
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.click("#copy")
    assert "일차방정식" in await page.evaluate("navigator.clipboard.readText()")
    assert await visit.grave() == []
    assert (first_height := await _drawn(visit)) > 0
    await page.get_by_role("spinbutton", name="쪽").focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**?page=2")
    assert 0 < await _drawn(visit) != first_height, "another picture, of another shape"
    assert await page.locator("#page .word.bare").count() > 5
    await page.focus("a[rel=prev]")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**?page=1")


async def test_errors_of_a_roster_stand_in_their_cells_and_the_rest_is_stored(
    visit: Visit, tmp_path: Path
) -> None:
    page, file = visit.page, tmp_path / "roster.xlsx"
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("2학년")
        for number, row in enumerate([HEADER, *GOOD[:3], *BAD, *GOOD[3:5]]):
            sheet.write_row(number, 0, row)
    await visit.open("/console/rosters")
    async with visit.lost_answers("/api/v1/jobs") as tried:
        await page.set_input_files("#file", file)
        await expect(page.locator("#uploads .why")).to_contain_text("두 번 처리되지 않습니다")
        await page.reload()
    await page.set_input_files("#file", file)  # goes on where it was: nothing is uploaded or tried twice
    await expect(page.locator("td.wrong")).to_have_count(3)
    await expect(page.locator("h1")).to_contain_text("명단 미리보기")
    assert len(await visit.lab.jobs(visit.tenant)) == len(tried) == 1
    await visit.open("/console/rosters")  # from the list it is a dry run too, and can be stored
    await visit.follow(page.locator("tbody a"))
    await expect(page.locator("h1")).to_contain_text("명단 미리보기")
    rows = [await each.text_content() or "" for each in await page.locator(".sheet tbody tr").all()]
    assert [number for number, row in enumerate(rows, 2) if "오류" in row] == [5, 6, 7]
    assert "없음" in (await page.locator("td.wrong").nth(1).text_content() or "")
    assert await _students(visit) == 0
    assert await visit.grave() == []
    async with page.expect_download() as failed:
        await page.click("text=오류 행만 내려받기")
    assert (await failed.value).url.startswith(visit.lab.settings.r2_endpoint_url)
    await page.fill("#password", "change-me")
    async with visit.lost_answers("/api/v1/jobs") as first:
        await page.click("#commit button")
        await expect(page.locator("#live")).to_contain_text("두 번 처리되지 않습니다")
        await page.reload()
    async with page.expect_request("**/api/v1/jobs") as second:
        await page.fill("#password", "change-me")
        await page.click("#commit button")
    assert first == [(await second.value).headers["idempotency-key"]]
    await expect(page.locator("h1")).to_contain_text("저장한 명단")
    await expect(page.locator(".tiles .good b")).to_have_text("5")
    assert await _students(visit) == 5
    assert len(await visit.lab.jobs(visit.tenant)) == 2
    assert visit.asked == [], "nothing is lost by going on, so nobody is asked"


async def test_jobs_are_live_and_a_failed_one_says_why(visit: Visit, tmp_path: Path) -> None:
    page, text, again = visit.page, tmp_path / "lecture.mp4", "다시"
    text.write_text("no video\n")
    await visit.open("/console/?show=all")
    await expect(page.locator("#empty, tbody tr").first).to_be_attached()
    visit.lab.send_encode(visit.tenant, video := fresh_id(), text)
    row = page.locator("tbody tr", has_text=f"강의 {video}")
    await expect(row.locator(".badge.bad")).to_be_visible()
    await expect(row).to_contain_text("영상 파일이 아니거나 손상되었습니다.")
    await visit.follow(row.get_by_role("link").first)
    await expect(page.locator(".log")).to_contain_text("접수됨")
    assert visit.lab.settings.temporal_ui_origin in (
        await page.get_by_role("link", name="Temporal").first.get_attribute("href") or ""
    )
    assert await visit.grave() == []
    assert await page.get_by_role("button", name=again).count() == 0, "the file would end the same"
    key = f"tenants/{visit.tenant}/video/raw/1/gone.mp4"
    visit.lab.send("video", encode_body(visit.tenant, video := fresh_id(), key))
    await visit.open("/console/?show=all")
    row = page.locator("tbody tr", has_text=f"강의 {video}")
    for width in (800, 1024, 1180):  # a tablet, or 150 % of a desk's
        await page.set_viewport_size({"width": width, "height": 800})
        title, button = row.get_by_role("link").first, row.get_by_role("button", name=again)
        place, last = await title.bounding_box(), await button.bounding_box()
        assert place and last and place["height"] < 30, "a title is in one line"
        assert last["x"] + last["width"] < width, "and no button is cut"
    await row.get_by_role("button", name=again).click()
    await expect(page.locator("#live")).to_contain_text("요청했습니다.")
    await visit.lab.ended(visit.tenant, 3)


async def test_every_page_is_for_everybody(visit: Visit) -> None:
    (parent,) = phones(1)
    student = (await visit.ask("POST", "/students", name="김하나", parent_phone=parent))["student_id"]
    group = (await visit.ask("POST", "/classes", title="고2 수학 A"))["class_id"]
    await visit.ask("PUT", f"/classes/{group}/students/{student}")
    session = (await visit.ask("POST", "/sessions", class_id=group, day=str(today())))["session_id"]
    pages = [
        "",
        "/lectures",
        "/home",
        "/ocr",
        "/omr",
        "/rosters",
        "/messages",
        "/messages/new",
        "/letters",
        "/fleet",
        "/students",
        f"/students/{student}",
        "/classes",
        f"/classes/{group}",
        f"/sessions/{session}",
        "/tenants",
        f"/tenants/{visit.tenant}",
        "/login",
    ]
    found: list[str] = []
    for each in pages:
        await visit.page.emulate_media(color_scheme="light")
        await visit.open(f"/console{each}")
        found += await visit.grave()
        scripts = await visit.page.evaluate(SCRIPTS)
        found += [f"{each} has {scripts} bytes of script"] if scripts > MOST_SCRIPT else []
        await visit.page.emulate_media(color_scheme="dark")
        found += await visit.grave("color-contrast")
        await visit.page.set_viewport_size({"width": 360, "height": 740})
        too_wide = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found += [f"{each} is {too_wide} px too wide"] if too_wide > 0 else []
        await visit.page.set_viewport_size({"width": 1280, "height": 720})
        await visit.page.emulate_media(media="print")
        shown = await visit.page.locator(".bar, button").evaluate_all(
            "all => all.filter((it) => it.checkVisibility()).length"
        )
        paper = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        found += [f"{each} is printed on {paper}"] if paper != "rgb(255, 255, 255)" else []
        found += [f"{each} prints {shown} parts of its menu and buttons"] if shown else []
        await visit.page.emulate_media(media="screen")
    assert found == []


async def test_the_language_is_the_browsers_until_it_is_chosen(visit: Visit) -> None:
    page = visit.page
    await visit.open("/console/lectures")
    await expect(page.locator("h1")).to_have_text("강의")
    await page.click("text=English")
    await expect(page.locator("h1")).to_have_text("Lectures")
    assert page.url.endswith("/console/lectures")
    assert await page.get_attribute("html", "lang") == "en"


async def _drawn(visit: Visit) -> int:
    """Rows of the page's picture as the browser has it."""
    load = """async () => {
        const picture = new Image();
        picture.src = document.querySelector("#page image").href.baseVal;
        await picture.decode();
        return picture.naturalHeight;
    }"""
    return int(await visit.page.evaluate(load))


async def _students(visit: Visit) -> int:
    async with visit.lab.engine.connect() as connection:
        rows = await connection.execute(select(Student.id).where(Student.tenant_id == visit.tenant))
        return len(rows.all())

"""The search page in Chromium: from a word to the second at which it is said."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from activities.indexing import IndexActivities
from tests.api.conftest import Caller
from tests.api.test_search import A_MINUTE, Library
from tests.browser.conftest import Visit
from tests.integration.test_keys import tenant_keys
from tests.lab import CLIP, fresh_id
from tests.unit.media import ffmpeg

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]

SRT = (
    "1\n00:00:00,500 --> 00:00:01,500\n지난 시간에는 일차 방정식을 배웠습니다\n\n"
    "2\n00:00:03,000 --> 00:00:04,500\n오늘은 학교에서 배운 이차 방정식의 근의 공식을 봅시다\n"
)
SHEET = "1. 다음 이차방정식을 푸시오.\n\f\n2. 이차방정식의 두 근의 합을 구하시오."


async def test_a_word_leads_to_the_second_at_which_it_is_said(visit: Visit, tmp_path: Path) -> None:
    page, lab, file, video = visit.page, visit.lab, tmp_path / "lecture.mp4", fresh_id()
    (tmp_path / "a.srt").write_text(SRT)
    ffmpeg(
        f"-i {CLIP} -i {tmp_path}/a.srt -map 0:v -map 0:a? -map 1 -c copy -c:s mov_text "
        "-metadata:s:s:0 language=kor",
        str(file),
    )
    lab.send_encode(visit.tenant, video, file)
    await lab.ended(visit.tenant)
    index = IndexActivities(lab.engine, lab.objects, tenant_keys(lab))
    library = Library(Caller(lab, page.request, visit.tenant, ""), index)  # type: ignore[arg-type]
    await library.lecture("이차방정식의 활용", said=None)
    await library.document(SHEET)
    await index.run_once(A_MINUTE)

    await visit.open("/console/search")
    await expect(page.locator("input[name=q]")).to_be_focused()
    assert await visit.grave() == []
    await page.keyboard.type("이차방정식")
    await page.keyboard.press("Enter")
    await expect(page.locator(".found h3")).to_have_count(3)
    await expect(page.locator(".found mark")).to_have_text(["이차 방정식", "이차방정식", "이차방정식"])
    await expect(page.locator("section").last).to_contain_text("2쪽")
    assert await visit.grave() == []
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a phone's width"
    await page.set_viewport_size({"width": 1280, "height": 800})
    link = page.get_by_role("link", name="0:03부터 보기")
    await link.focus()
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await visit.until("Math.abs(document.getElementById('video').currentTime - 3) < 0.3")
    await expect(page.locator("#live")).to_have_text("0:03부터 봅니다.")
    await visit.open(f"/console/lectures/{video}?t=1e999")
    await expect(page.locator("#play")).to_be_enabled()
    await page.click("button[name=language]")
    await visit.open("/console/search?q=zzz")
    await expect(page.locator(".empty")).to_contain_text("Nothing was found")

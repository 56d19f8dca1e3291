"""A lecture is watched in a browser while it is encoded, and goes over into the whole."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from devstack.demo import repeat
from tests.browser.conftest import Visit
from tests.faults.test_growing import held
from tests.lab import CLIP, eventually, fresh_id

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]
VIDEO = "document.getElementById('video')"


async def test_who_watches_what_grows_goes_on_in_the_whole(visit: Visit, tmp_path: Path) -> None:
    page, lab, film, video = visit.page, visit.lab, tmp_path / "film.mp4", fresh_id()
    repeat(CLIP, 12, film)
    lab.send_encode(visit.tenant, video, film)

    async def known() -> bool:
        answer = await page.request.get(f"{visit.url}/console/lectures/{video}")
        return answer.status == 200

    await eventually(known, "the lecture's page is there")
    await visit.open(f"/console/lectures/{video}")
    await expect(page.locator("#growing")).to_contain_text("아직 변환하는 중입니다")  # it came by itself
    encoders = await held(lab)
    assert (await lab.video(visit.tenant, video)).status == "PROCESSING"
    await page.evaluate("window.same = true")
    await page.click("#play")
    await visit.until(f"{VIDEO}.currentTime > 1 && {VIDEO}.videoWidth > 0")
    assert (await lab.video(visit.tenant, video)).status == "PROCESSING"
    grown = await page.evaluate(f"{VIDEO}.duration")
    assert 3.9 < grown < 60
    assert await visit.grave() == []
    await page.evaluate(f"{VIDEO}.currentTime = 5")
    for each in encoders:
        each.resume()
    await expect(page.locator("#growing")).to_be_hidden()
    await visit.until(f"{VIDEO}.duration > 62")
    await expect(page.locator("#player")).to_have_attribute("data-storyboard", "32")
    await visit.until(f"{VIDEO}.currentTime > 0")
    again = await page.evaluate(f"{VIDEO}.currentTime")
    assert again > 4.9
    await visit.until(f"{VIDEO}.currentTime > {again} + 1 && !{VIDEO}.paused")
    assert await page.evaluate("window.same === true")
    await expect(page.locator("#head .badge.good")).to_be_visible()
    await asyncio.wait_for(lab.ended(visit.tenant), 60)

"""hls.js plays a lecture whose keys change, to its end."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from devstack.app import App
from devstack.stack import Stack
from tests.browser.conftest import Visit
from tests.lab import CLIP, fresh_id
from tests.unit.media import ffmpeg
from tests.viewing.test_encrypted import encrypting

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]

VIDEO = "document.getElementById('video')"


async def test_a_lecture_whose_keys_change_is_played_to_its_end(
    visit: Visit, app: App, stack: Stack, tmp_path: Path
) -> None:
    lab, page, film, video = visit.lab, visit.page, tmp_path / "film.mp4", fresh_id()
    ffmpeg(f"-i {CLIP} -f lavfi -i sine=d=5.28:r=48000 -map 0:v -map 1 -c:v copy -c:a aac", str(film))
    async with encrypting(app, stack, HLS_KEY_SEGMENTS="1"):
        lab.send_encode(visit.tenant, video, film)
        (job,) = await lab.ended(visit.tenant)
    assert job.state == "DONE", job.error_code
    keys: set[str] = set()
    page.on("request", lambda request: "/keys-" in request.url and keys.add(request.url))
    await visit.open(f"/console/lectures/{video}")
    await expect(page.locator("#player")).to_be_visible()
    await page.click("#play")
    await visit.until(f"{VIDEO}.ended && {VIDEO}.buffered.length === 1")
    assert {each.rpartition("/")[2] for each in keys} == {"0", "1"}
    assert await page.evaluate(f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames") >= 132

"""A DASH player of another make plays what HLS players do, to its last frame, with captions."""

from pathlib import Path

import httpx
import pytest

from intake.captions import Captioning, NewCaptions
from rules.captions.cues import Cue
from tests.browser.conftest import Visit
from tests.lab import CLIP, PATIENCE
from tests.unit.media import ffmpeg
from tests.viewing.classroom import Classroom
from tests.viewing.test_encrypted import encoded

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]

SHAKA = Path(__file__).with_name("vendor") / "shaka-player-5.2.12.dash.min.js"
PAGE = "<!doctype html><title>-</title><body><video id=video muted></video>"
VIDEO = "document.getElementById('video')"
LOAD = """async (manifest) => {
    const video = document.getElementById("video");
    window.player = new shaka.Player();
    await player.attach(video);
    player.addEventListener("error", (event) => console.error("shaka", event.detail.code));
    await player.load(manifest);
    const [text] = player.getTextTracks();
    player.selectTextTrack(text);
    video.play();
    return [text.language, text.label, player.getVariantTracks().length];
}"""


@pytest.mark.parametrize("attendance", ["PRESENT", "ONLINE"], ids=["freely", "proctored"])
async def test_a_dash_player_plays_it_to_its_last_frame(
    visit: Visit, tmp_path: Path, attendance: str
) -> None:
    """By whole captions, and in a proctored class by their parts."""
    lab, page, film = visit.lab, visit.page, tmp_path / "film.mp4"
    ffmpeg(f"-i {CLIP} -f lavfi -i sine=d=5.28:r=48000 -map 0:v -map 1 -c:v copy -c:a aac", str(film))
    async with httpx.AsyncClient(base_url=visit.url, timeout=PATIENCE) as http:
        room = await Classroom.open(lab, http)
        lecture = await encoded(room, film)
        captioning = Captioning(lab.engine, lab.objects, lab.temporal, grace=0)
        said = NewCaptions("ko", "한국어", [Cue(1000, 2500, "안녕하세요")])
        video = await captioning.shown(room.tenant, lecture.video)
        await captioning.add(video, lecture.job.id, [said])
        player = await room.start(await room.student(attendance), lecture.video)
        manifest = player.started["urls"]["dash"]
    await visit.open("/healthz")
    await page.set_content(PAGE)
    await page.add_script_tag(path=SHAKA)
    renditions = len(lecture.job.result["renditions"])
    assert await page.evaluate(LOAD, manifest) == ["ko", "한국어", renditions]
    await visit.until(f"{VIDEO}.currentTime > 1.2 && {VIDEO}.textTracks[0].activeCues.length === 1")
    assert await page.evaluate(f"{VIDEO}.textTracks[0].activeCues[0].text") == "안녕하세요"
    await visit.until(f"{VIDEO}.ended && {VIDEO}.buffered.length === 1")
    assert await page.evaluate(f"{VIDEO}.duration") == pytest.approx(5.28, abs=0.03)
    assert await page.evaluate(f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames") == 132
    visit.troubles[:] = [
        each for each in visit.troubles if "/favicon.ico" not in each
    ]  # of a page without one

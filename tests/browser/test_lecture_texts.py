"""Captions and chapters as a viewer meets them in Chromium."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.lab import CLIP
from tests.unit.media import ffmpeg
from tests.unit.test_media_sound import sounds
from tests.unit.test_media_texts import CHAPTERS

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]

VIDEO = "document.getElementById('video')"
SHOWN = f"[...{VIDEO}.textTracks].find((each) => each.mode === 'showing')"
EMBEDDED = "1\n00:00:00,500 --> 00:00:02,000\n영상에 있던 자막\n"
SMI = (
    "<SAMI><HEAD><STYLE><!-- .KRCC { Name: 국어; lang: ko-KR; } .ENCC { Name: English; lang: en-US; } -->"
    "</STYLE></HEAD><BODY><SYNC Start=1000><P Class=KRCC>올린 자막<SYNC Start=1000><P Class=ENCC>uploaded"
    "<SYNC Start=2500><P Class=KRCC>&nbsp;<SYNC Start=2500><P Class=ENCC>&nbsp;</SAMI>"
)


async def said(visit: Visit, name: str) -> tuple[str, float, float]:
    """The first cue of the captions of this name, once they are chosen and loaded."""
    await visit.page.select_option("#captions", label=name)
    await visit.until(f"({SHOWN})?.label === '{name}' && ({SHOWN}).cues?.length > 0")
    text, start, end = await visit.page.evaluate(
        f"(() => {{ const cue = ({SHOWN}).cues[0]; return [cue.text, cue.startTime, cue.endTime]; }})()"
    )
    return text, start, end


async def test_captions_of_the_source_and_uploaded_ones_are_shown_in_time(
    visit: Visit, tmp_path: Path
) -> None:
    page, lecture = visit.page, tmp_path / "lecture.mp4"
    (tmp_path / "a.srt").write_text(EMBEDDED)
    (tmp_path / "chapters.txt").write_text(CHAPTERS)
    ffmpeg(
        f"-i {CLIP} -i {tmp_path}/a.srt -i {tmp_path}/chapters.txt -map 0:v -map 0:a? -map 1 -map_chapters 2 "
        "-c copy -c:s mov_text -metadata:s:s:0 language=kor",
        str(lecture),
    )
    await visit.open("/console/lectures")
    await page.set_input_files("#file", lecture)
    await expect(page.locator("#grid .badge.good")).to_be_visible()
    await visit.follow(page.locator("#grid h2 a"))
    await expect(page.locator("#captions")).to_be_visible()
    assert await said(visit, "한국어") == (
        "영상에 있던 자막",
        pytest.approx(0.5, abs=0.05),
        pytest.approx(2, abs=0.05),
    )
    await expect(page.locator("#chapters button")).to_have_text(["0:00하나", "0:03둘"])
    await page.locator("#chapters button").nth(1).click()
    await visit.until(f"Math.abs({VIDEO}.currentTime - 2.5) < 0.5")

    smi = tmp_path / "a.smi"
    smi.write_bytes(SMI.encode("cp949"))
    await page.select_option("#caption-language", "")
    async with page.expect_navigation(wait_until="domcontentloaded"):
        await page.set_input_files("#caption-file", smi)
        await page.click("#add-captions button")
    await expect(page.locator("#texts .captions li")).to_have_count(3)
    within = pytest.approx(1.0, abs=0.05), pytest.approx(2.5, abs=0.05)
    await expect(page.locator("#captions option")).to_have_count(4)
    assert await said(visit, "국어") == ("올린 자막", *within)
    assert await said(visit, "English") == ("uploaded", *within)
    await page.evaluate(f"{VIDEO}.currentTime = 1.5")
    await visit.until(f"({SHOWN}).activeCues?.length === 1")  # what is on the picture now
    assert await visit.grave() == []

    await page.fill("#chapter-lines", "0:00 들어가며\n0:01.500 풀이")
    await page.click("#set-chapters button")
    await expect(page.locator("#chapters button")).to_have_text(["0:00들어가며", "0:02풀이"])
    await page.locator("[data-remove]").last.click()
    await expect(page.locator("#captions option")).to_have_count(3)


async def test_a_recording_is_played_to_its_end_below_its_wave(visit: Visit, tmp_path: Path) -> None:
    page, lecture = visit.page, tmp_path / "녹음.mp3"
    ffmpeg("-f lavfi -i sine=d=5:r=48000 -c:a libmp3lame -q:a 6 -write_xing 0", str(lecture))
    await visit.open("/console/lectures")
    await page.set_input_files("#file", lecture)
    await expect(page.locator("#grid .badge.good")).to_be_visible()
    await visit.follow(page.locator("#grid h2 a"))
    await expect(page.locator("#player")).to_have_attribute("data-storyboard", "3")
    await expect(page.locator("#head ~ .notice")).to_be_visible()
    await expect(page.locator("table.list tbody tr")).to_have_count(2)
    await visit.until(f"{VIDEO}.duration > 4.9 && {VIDEO}.poster.includes('/poster')")
    await page.click("#play")
    await visit.until(f"{VIDEO}.ended && {VIDEO}.buffered.length === 1")
    assert await visit.grave() == []


async def test_a_viewer_chooses_among_languages(visit: Visit, tmp_path: Path) -> None:
    page, lecture = visit.page, tmp_path / "both.mp4"
    ffmpeg(
        f"{sounds('one', 'two')} -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -c:a aac "
        "-metadata:s:a:0 language=kor -metadata:s:a:1 language=eng",
        str(lecture),
    )
    await visit.open("/console/lectures")
    await page.set_input_files("#file", lecture)
    await expect(page.locator("#grid .badge.good")).to_be_visible()
    await visit.follow(page.locator("#grid h2 a"))
    await expect(page.locator("#sounds option")).to_have_text(["한국어", "English"])
    async with page.expect_response(re.compile(r"/audio2/s00000\.m4s")):
        await page.select_option("#sounds", label="English")
    await page.click("#play")
    await visit.until(f"{VIDEO}.ended")
    assert await visit.grave() == []


async def test_a_part_is_kept_and_played_to_its_end(visit: Visit, tmp_path: Path) -> None:
    page, lecture = visit.page, tmp_path / "lecture.mp4"
    (tmp_path / "a.srt").write_text(EMBEDDED)
    ffmpeg(
        f"-i {CLIP} -f lavfi -i sine=d=5.28:r=48000 -i {tmp_path}/a.srt -map 0:v -map 1 -map 2 -c:v copy "
        "-c:a aac -c:s mov_text -metadata:s:s:0 language=kor",
        str(lecture),
    )
    await visit.open("/console/lectures")
    await page.set_input_files("#file", lecture)
    await expect(page.locator("#grid .badge.good")).to_be_visible()
    await visit.follow(page.locator("#grid h2 a"))
    await expect(page.locator("#length")).to_have_text("0:05")
    await page.click("#open-trim")
    await expect(page.locator("#trim-do")).to_be_disabled()  # nothing would be cut off
    await page.fill("#trim-start", "1:00")
    await expect(page.locator("#trim-said")).to_have_text("1초 이상 남겨야 합니다.")
    await page.fill("#trim-start", "0:01.2")
    await page.fill("#trim-end", "4.8")
    await expect(page.locator("#trim-said")).to_contain_text("0:03.6 길이가 남고")
    assert await visit.grave() == []
    async with page.expect_navigation(wait_until="domcontentloaded"):
        await page.click("#trim-do")
    await visit.until(f"Math.abs({VIDEO}.duration - 3.6) < 0.05")
    assert await said(visit, "한국어") == ("영상에 있던 자막", 0, pytest.approx(0.8, abs=0.05))
    await page.click("#play")
    await visit.until(f"{VIDEO}.ended && {VIDEO}.buffered.length === 1")
    assert await page.evaluate(f"{VIDEO}.buffered.start(0)") < 0.03

    await page.select_option("#download-lines", "360")
    async with page.expect_navigation(wait_until="domcontentloaded"):
        await page.click("#set-download button:not([type])")
    async with page.expect_navigation(wait_until="domcontentloaded"):
        await page.click("#make-download")
    async with page.expect_download() as begun:
        await page.click("#download-link")
    assert (await begun.value).suggested_filename.endswith(".mp4")

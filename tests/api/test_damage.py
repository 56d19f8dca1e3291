"""A lecture whose source is damaged is published, and everybody who looks at it is told where."""

from pathlib import Path

import pytest

from tests.api.conftest import Caller
from tests.lab import fresh_id
from tests.unit import media

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILM = "-f lavfi -i testsrc2=s=160x90:r=25:d=20 -f lavfi -i {sound} -c:v libx264 -g 50 -c:a aac"


def made(path: Path, sound: str = "sine=d=20", zeroed: tuple[float, float] = (0, 0)) -> Path:
    media.ffmpeg(f"{FILM.format(sound=sound)} -movflags +faststart", str(path))
    data = path.read_bytes()
    first, last = (int(len(data) * share) for share in zeroed)
    path.write_bytes(data[:first] + bytes(last - first) + data[last:])
    return path


async def test_damage_is_told_by_api_and_console(academy: Caller, tmp_path: Path) -> None:
    lab, tenant = academy.lab, academy.tenant
    hole, ruin, mute = fresh_id(), fresh_id(), fresh_id()
    lab.send_encode(tenant, hole, made(tmp_path / "hole.mp4", zeroed=(0.4, 0.65)))
    lab.send_encode(tenant, ruin, made(tmp_path / "ruin.mp4", zeroed=(0.3, 0.97)))
    lab.send_encode(tenant, mute, made(tmp_path / "mute.mp4", sound="anullsrc=d=20"))
    jobs = {job.video_id: job for job in await lab.ended(tenant, 3)}

    assert {video: (jobs[video].state, jobs[video].error_code) for video in jobs} == {
        hole: ("REVIEW_REQUIRED", None),
        ruin: ("REJECTED_BAD_INPUT", "DECODE_FAILED"),
        mute: ("DONE", None),
    }
    result = (await academy.get(f"/jobs/{jobs[hole].external_id}"))["result"]
    kinds = {place["what"] for place in result["damage"]}
    assert {"picture_missing", "sound_missing"} <= kinds
    assert all(6 < place["start"] < place["end"] < 16.1 for place in result["damage"])
    assert len(result["review"]) == len(result["damage"])

    video = await academy.get(f"/media/videos/{hole}/progress/")
    assert (video["status"], video["damage"]) == ("READY", result["damage"])
    assert (await academy.get(f"/media/videos/{mute}/progress/"))["warnings"] == ["sound_silent"]
    assert (await lab.video(tenant, ruin)).status == "FAILED"

    for language, still, silent in (
        ("ko", "화면이 멈춰 있습니다", "소리가 들리지 않습니다"),
        ("en", "The picture stands still", "Nothing can be heard"),
    ):
        shown = {}
        for path in (f"jobs/{jobs[hole].id}", f"lectures/{hole}", f"lectures/{mute}", "lectures"):
            headers = await academy.cookie(tenant) | {"Accept-Language": language}
            shown[path] = (await academy.http.get(f"/console/{path}", headers=headers)).text
        assert still in shown[f"jobs/{jobs[hole].id}"] and still in shown[f"lectures/{hole}"]
        assert "<b>0:" in shown[f"lectures/{hole}"]
        assert silent in shown[f"lectures/{mute}"] and silent not in shown[f"lectures/{hole}"]
        assert ("빠진 곳이 있습니다" if language == "ko" else "Parts are missing") in shown["lectures"]

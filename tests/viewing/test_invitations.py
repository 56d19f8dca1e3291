"""A link to a lecture lets one student begin, and decides nothing: the policy does, each time."""

import asyncio
import os
import re
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.auth import playback_tokens
from api.auth.playback_tokens import Invitation
from clients.vault import Vault
from devstack.stack import ROOT
from tests.lab import eventually, fresh_id, unused_port
from tests.viewing.classroom import Classroom

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def invited(room: Classroom, student: int, days: int = 7) -> str:
    """What stands behind the link's `#`."""
    path = f"/api/v1/videos/{room.video}/students/{student}/link"
    headers = {"Authorization": f"Bearer {room.key}"}
    answer = await room.http.post(path, json={"days": days}, headers=headers)
    assert answer.status_code == 201, answer.text
    left = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=days) - timedelta(minutes=5) < left <= timedelta(days=days)
    assert answer.headers["cache-control"] == "no-store"
    page, _, invitation = str(answer.json()["path"]).partition("#")
    assert page == "/console/watch"
    return invitation


async def joined(room: Classroom, invitation: str, video: int | None = None) -> tuple[int, str]:
    answer = await room.ask("join", invitation, None, video)
    return answer.status_code, answer.json().get("code", "")


async def test_an_invitation_watches_under_the_students_policy(room: Classroom) -> None:
    student = await room.student()
    invitation = await invited(room, student)
    answer = await room.ask("join", invitation)
    assert answer.status_code == 200, answer.text
    begun = answer.json()
    policy = begun["policy"]
    assert policy["access_mode"] == "PROCTORED_CLASS" and policy["max_rate"] == 1.0
    assert policy["watermark"].startswith(f"{student} ") and policy["seek_limit"] is not None
    beat = await room.ask("heartbeat", begun["token"], {"position": 90.0})
    assert (beat.json()["violation"], beat.json()["furthest"]) == ("SEEK_TOO_FAR", 0.0)
    again = await room.ask("join", invitation)
    assert again.status_code == 200, "a reload begins anew"
    ended = await room.ask("refresh", begun["token"])
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended"), (
        "a student watches in one place"
    )
    headers = {"Authorization": f"Bearer {room.key}"}
    path = f"/api/v1/videos/{room.video}/students/{student}"
    done = await room.http.put(path, json={"access_mode": None, "blocked": True}, headers=headers)
    assert done.status_code == 204
    assert await joined(room, invitation) == (403, "blocked"), "the link is no right of its own"
    assert (await room.ask("refresh", again.json()["token"])).status_code == 401
    outsider = await invited(room, await room.student(enrolled=False))
    assert await joined(room, outsider) == (403, "not_enrolled")


async def test_an_invitation_is_for_one_student_one_lecture_and_its_days(room: Classroom) -> None:
    student = await room.student()
    invitation = await invited(room, student, days=1)
    await room.publish(other := fresh_id())
    assert await joined(room, invitation, other) == (404, "not_found")
    assert await joined(room, invitation[:-2]) == (401, "not_authenticated")
    vault = Vault(room.lab.settings.payload_keys.get_secret_value())
    whose = Invitation(tenant=room.tenant, video=room.video, student=student)
    old = playback_tokens.invite(vault, whose, datetime.now(UTC) - timedelta(seconds=1))
    assert await joined(room, old) == (401, "invitation_expired")
    begun = (await room.ask("join", invitation)).json()
    assert await joined(room, begun["token"]) == (401, "not_authenticated"), "a token is no invitation"
    for step in ("refresh", "end"):
        assert (await room.ask(step, invitation)).status_code == 401, "an invitation is no token"
    headers = {"Authorization": f"Bearer {room.key}"}
    for number, days, status in ((student, 91, 422), (student, 0, 422), (10**15, 7, 404)):
        path = f"/api/v1/videos/{room.video}/students/{number}/link"
        assert (await room.http.post(path, json={"days": days}, headers=headers)).status_code == status


async def test_the_example_of_a_page_with_a_lecture_in_it(room: Classroom) -> None:
    student, port = await room.student(), unused_port()
    environment = os.environ | {"API": str(room.http.base_url).rstrip("/"), "KEY": room.key}
    asked = (sys.executable, ROOT / "examples" / "embed.py", str(room.video), str(student), str(port))
    site = await asyncio.create_subprocess_exec(*asked, env=environment)
    try:
        async with httpx.AsyncClient() as http:

            async def look() -> str:
                try:
                    return (await http.get(f"http://127.0.0.1:{port}/", timeout=30)).text
                except httpx.ConnectError:
                    return ""

            page = await eventually(look, "the page")
    finally:
        site.kill()
        await site.wait()
    frame = re.search(r'<iframe src="[^"#]+/console/watch#([^"]+)"', page)
    assert frame and await joined(room, frame[1]) == (200, "")

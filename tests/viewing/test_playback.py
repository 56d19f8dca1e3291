"""Tokens, limits and links of playback, on the real app."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from sqlalchemy import select, update

from api.auth import playback_tokens, staff
from api.auth.playback_tokens import Claims
from clients.database import videos, viewing
from clients.database.academy_models import Attendance
from clients.database.viewing_models import PlaybackSession, PlaybackViolation, VideoProgress
from clients.vault import Vault
from rules.viewing import VIOLATION_LIMIT, AccessMode
from tests.lab import PATIENCE, fresh_id
from tests.signed_in import header
from tests.viewing.classroom import Classroom, Player

pytestmark = pytest.mark.asyncio(loop_scope="package")


def vault(room: Classroom) -> Vault:
    return Vault(room.lab.settings.payload_keys.get_secret_value())


async def row_of(room: Classroom, table: Any, player: Player) -> Any:
    async with room.lab.engine.connect() as connection:
        mine = (table.tenant_id == room.tenant, table.student_id == player.student)
        return (await connection.execute(select(table).where(*mine))).one()


async def test_what_start_answers(room: Classroom) -> None:
    began = time.time()
    player = await room.start(await room.student())
    assert set(player.started) == {"token", "expires_in", "session_id", "policy", "growing", "urls"}
    assert player.started["expires_in"] == 600
    session = player.started["session_id"]
    assert player.started["policy"] == {
        "access_mode": "PROCTORED_CLASS",
        "reason": "ONLINE",
        "version": player.started["policy"]["version"],
        "watermark": f"{player.student} {session[:8]}",
        "max_rate": 1.0,
        "seek_limit": 3.0,
        "violation_limit": VIOLATION_LIMIT,
    }
    urls = player.started["urls"]
    assert {name: url and url.rpartition("/")[2] for name, url in urls.items()} == {
        "master": "master.m3u8",
        "dash": "manifest.mpd",
        "poster": "poster.jpg",
        "storyboard": "storyboard.vtt",
        "subtitles": None,
        "download": None,
        "chapters": None,
    }
    claims = jwt.decode(player.token, options={"verify_signature": False})
    assert began + 599 <= claims["exp"] <= time.time() + 601
    assert (claims["tenant"], claims["video"], claims["student"]) == (
        room.tenant,
        room.video,
        player.student,
    )
    free = await room.start(await room.student("PRESENT"))
    limits = {name: free.started["policy"][name] for name in ("watermark", "max_rate", "seek_limit")}
    assert limits == {"watermark": None, "max_rate": 2.0, "seek_limit": None}


async def test_facts_of_the_database_reach_the_policy(room: Classroom) -> None:
    async def decided(student: int) -> tuple[str, str]:
        policy = (await room.start(student)).started["policy"]
        return policy["access_mode"], policy["reason"]

    assert await decided(await room.student(attendance=None)) == ("FREE_REVIEW", "NOT_ONLINE")
    assert await decided(await room.student("ABSENT")) == ("FREE_REVIEW", "NOT_ONLINE")
    student = await room.student("ONLINE")
    assert await decided(student) == ("PROCTORED_CLASS", "ONLINE")
    assert await room.refused(await room.student(enrolled=False)) == "not_enrolled"
    for permission, blocked, expected in (
        (AccessMode.FREE_REVIEW, True, ("FREE_REVIEW", "PERMISSION")),
        (AccessMode.PROCTORED_CLASS, True, ("PROCTORED_CLASS", "PERMISSION")),
        (None, False, ("PROCTORED_CLASS", "ONLINE")),
    ):
        async with room.lab.engine.begin() as connection:
            await viewing.set_access(connection, room.tenant, room.video, student, permission, blocked)
        assert await decided(student) == expected
    for permission, blocked in ((AccessMode.BLOCKED, False), (None, True)):
        async with room.lab.engine.begin() as connection:
            await viewing.set_access(connection, room.tenant, room.video, student, permission, blocked)
        assert await room.refused(student) == "blocked"
    encoding = fresh_id()
    await room.publish(encoding, status="PROCESSING", hls_prefix=None)
    assert await room.refused(student, encoding) == "not_ready"
    elsewhere = fresh_id()
    await room.publish(elsewhere, session_id=None)
    assert await room.refused(student, elsewhere) == "not_enrolled"


async def test_a_students_name_must_be_a_student_of_the_tenant(room: Classroom) -> None:
    other = await Classroom.open(room.lab, room.http)
    stranger = await other.student()
    assert (await room.ask("start", room.key, {"student_id": stranger})).status_code == 404
    assert (await room.ask("start", room.key, {"student_id": 2**62})).status_code == 404
    assert (await room.ask("start", room.key)).status_code == 422
    # The other's video with our key, whoever the student is.
    assert (await room.ask("start", room.key, {"student_id": stranger}, other.video)).status_code == 404


async def test_refresh_gives_a_token_of_the_same_session(room: Classroom) -> None:
    player = await room.start(await room.student())
    async with room.lab.engine.begin() as connection:
        soon = update(PlaybackSession).where(PlaybackSession.student_id == player.student)
        await connection.execute(soon.values(expires_at=datetime.now(UTC) + timedelta(seconds=PATIENCE)))
    began = time.time()
    answer = await player.ask("refresh")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    fresh = answer.json()
    assert fresh["session_id"] == player.started["session_id"]
    row = await row_of(room, PlaybackSession, player)
    assert began + 599 <= row.expires_at.timestamp() <= time.time() + 601
    player.started |= fresh
    await player.beat(1)


async def test_links_die_with_the_newest_token(room: Classroom) -> None:
    player = await room.start(await room.student())
    assert (await player.get("360p/s00000.m4s")).status_code == 307
    async with room.lab.engine.begin() as connection:
        mine = update(PlaybackSession).where(PlaybackSession.student_id == player.student)
        await connection.execute(mine.values(expires_at=PlaybackSession.started_at))
    assert (await player.get("360p/s00000.m4s")).status_code == 401


async def test_end_is_the_end(room: Classroom) -> None:
    player = await room.start(await room.student())
    assert (await player.ask("end")).json() == {"ended": True}
    assert await player.dead() == "session_ended"
    assert (await row_of(room, PlaybackSession, player)).end_reason == "ENDED"


async def test_tokens_that_are_not_this_ones(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    player = await room.start(await room.student())
    good = Claims.model_validate(jwt.decode(player.token, options={"verify_signature": False}))
    keys = vault(room)

    async def code(token: str) -> tuple[int, str]:
        answer = await room.ask("refresh", token)
        return answer.status_code, answer.json()["code"]

    with monkeypatch.context() as patched:
        patched.setattr(playback_tokens, "LIFETIME", -1)
        assert await code(playback_tokens.issue(keys, good)) == (401, "token_expired")
    head, body, mac = player.token.split(".")
    assert await code(f"{head}.{body}.{mac[:-4]}AAAA") == (401, "not_authenticated")
    forged = Vault("test:" + "A" * 43 + "=")
    for other in (forged, Vault(f"{keys.key_id}:" + "A" * 43 + "=")):
        assert await code(playback_tokens.issue(other, good)) == (401, "not_authenticated")
    claims = good.model_dump(mode="json") | {"aud": "playback"}
    unsigned = jwt.encode(claims, "", "none", {"typ": playback_tokens.TYPE, "kid": keys.key_id})
    assert await code(unsigned) == (401, "not_authenticated")
    ageless = jwt.encode(
        claims,
        keys.derive(keys.key_id, b"playback token"),
        "HS256",
        {"typ": playback_tokens.TYPE, "kid": keys.key_id},
    )
    assert await code(ageless) == (401, "not_authenticated")
    unknown = playback_tokens.issue(keys, good.model_copy(update={"session": uuid4()}))
    assert await code(unknown) == (401, "session_ended")
    stale = playback_tokens.issue(keys, good.model_copy(update={"version": "0" * 16}))
    assert await code(stale) == (401, "policy_changed")


async def test_a_token_of_another_video_or_tenant_is_not_here(room: Classroom) -> None:
    player = await room.start(await room.student())
    second = fresh_id()
    await room.publish(second)
    other = await Classroom.open(room.lab, room.http)
    for step in ("refresh", "end"):
        assert (await room.ask(step, player.token, {}, second)).status_code == 404
        assert (await other.ask(step, player.token, {})).status_code == 404
        # With a service key the token is in the body: another tenant's key does not help.
        assert (await other.ask(step, other.key, {"token": player.token})).status_code == 404
        assert (await other.ask(step, other.key, {"token": player.token}, room.video)).status_code == 404
        assert (await room.ask(step, room.key, {})).status_code == 401
    assert (await room.ask("refresh", room.key, {"token": player.token})).status_code == 200


CHANGES = ("permission", "revoked", "attendance", "deleted")


@pytest.mark.parametrize("change", CHANGES)
async def test_a_token_dies_with_the_version_of_the_policy(room: Classroom, change: str) -> None:
    video = fresh_id()
    await room.publish(video)
    player = await room.start(await room.student(), video)
    assert (await player.get("360p/s00000.m4s")).status_code == 307
    async with room.lab.engine.begin() as connection:
        if change == "permission":
            # The same mode as before: it is the decision's ground that changed.
            await viewing.set_access(
                connection, room.tenant, video, player.student, AccessMode.PROCTORED_CLASS
            )
        elif change == "revoked":
            await viewing.revoke(connection, room.tenant, video)
        elif change == "attendance":
            mine = update(Attendance).where(Attendance.student_id == player.student)
            await connection.execute(mine.values(status="ABSENT"))
        else:
            await videos.mark_deleted(connection, room.tenant, video)
    assert await player.dead() == ("session_ended" if change == "deleted" else "policy_changed")


async def test_a_permission_taken_back_does_not_revive_a_token(room: Classroom) -> None:
    player = await room.start(await room.student())
    for blocked in (True, False):
        async with room.lab.engine.begin() as connection:
            await viewing.set_access(connection, room.tenant, room.video, player.student, None, blocked)
    assert await player.dead() == "policy_changed"


async def test_a_student_watches_in_one_place(room: Classroom) -> None:
    student = await room.student()
    second = fresh_id()
    await room.publish(second)
    first = await room.start(student)
    elsewhere = await room.start(student, second)
    assert await first.dead() == "session_ended"
    assert (await elsewhere.ask("refresh")).status_code == 200
    neighbour = await room.start(await room.student())
    assert (await elsewhere.ask("refresh")).status_code == 200
    # However many ask at the same time, one is left.
    many = await asyncio.gather(*(room.start(student) for _ in range(8)))
    alive = [(await player.ask("refresh")).status_code for player in many]
    assert sorted(alive) == [200] + [401] * 7
    await neighbour.beat(1)


async def test_proctored_progress_follows_the_clock(room: Classroom) -> None:
    player = await room.start(await room.student())
    await room.been(player.student, seconds_ago=10)
    beat = await player.beat(10)
    assert (beat["furthest"], beat["progress"], beat["violation"]) == (10.0, 0.1, None)
    assert beat["policy"]["seek_limit"] == 13.0
    beat = await player.beat(60)
    assert (beat["furthest"], beat["violation"], beat["violations"]) == (10.0, "SEEK_TOO_FAR", 1)
    beat = await player.beat(4)
    assert (beat["furthest"], beat["violation"]) == (10.0, None)
    beat = await player.beat(5, rate=1.5)
    assert (beat["violation"], beat["violations"]) == ("WRONG_RATE", 2)
    # Starting anew gives no credit for the time in between, nor a new slack.
    await room.been(player.student, seconds_ago=3600, furthest=10)
    again = await room.start(player.student)
    assert again.started["policy"]["seek_limit"] == 13.0
    assert (await again.beat(99))["violation"] == "SEEK_TOO_FAR"


async def test_a_proctored_student_fetches_nothing_beyond_the_clock(room: Classroom) -> None:
    """All of a lecture could be loaded at once; what lies a minute ahead of the clock cannot."""
    player = await room.start(await room.student())
    await room.been(player.student, seconds_ago=10)
    assert (await player.get("360p/s00010.m4s")).status_code == 307
    for path in ("360p/s00024.m4s", "audio/s00024.m4s", "360p/s000024.m4s"):
        answer = await player.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "beyond_the_clock")
    await room.been(player.student, seconds_ago=10, furthest=40)
    assert (await player.get("360p/s00024.m4s")).status_code == 307
    free = await room.start(await room.student(attendance=None))
    assert (await free.get("360p/s00024.m4s")).status_code == 307


async def test_completing_a_class_frees_it_without_a_break(room: Classroom) -> None:
    player = await room.start(await room.student())
    await room.been(player.student, seconds_ago=20, furthest=72)
    beat = await player.beat(89)
    assert (beat["completed"], beat["token"]) == (False, None)
    await room.been(player.student, seconds_ago=5, furthest=89)
    beat = await player.beat(90)
    assert (beat["completed"], beat["policy"]["access_mode"]) == (True, "FREE_REVIEW")
    assert beat["policy"]["reason"] == "COMPLETED"
    assert (await player.ask("refresh")).json()["code"] == "policy_changed"
    player.started |= beat
    assert (await player.ask("refresh")).status_code == 200
    assert (await player.get("360p/s00000.m4s")).status_code == 307  # the links are the same
    assert (await row_of(room, VideoProgress, player)).proctored_completed_at
    assert (await player.beat(5, rate=2.0))["violation"] is None
    assert (await room.start(player.student)).started["policy"]["reason"] == "COMPLETED"


async def test_free_review_has_no_limits(room: Classroom) -> None:
    player = await room.start(await room.student("ABSENT"))
    beat = await player.beat(50, rate=2.0)
    assert (beat["furthest"], beat["violation"], beat["violations"]) == (50.0, None, 0)
    events = [{"type": "TAB_HIDDEN"}, {"type": "SEEK", "position": 99}]
    assert (await player.ask("events", events=events)).json()["violations"] == 0
    assert (await player.beat(1e6))["progress"] == 1.0


async def test_violations_are_counted_and_end_it(room: Classroom) -> None:
    player = await room.start(await room.student())
    harmless = [{"type": "PAUSE"}, {"type": "SEEK", "position": 2.5}, {"type": "RATE", "rate": 0.5}]
    assert (await player.ask("events", events=harmless)).json()["violations"] == 0
    bad = [
        {"type": "TAB_HIDDEN", "position": 1},
        {"type": "RATE", "rate": 2.0},
        {"type": "SEEK", "position": 80},
    ]
    assert (await player.ask("events", events=bad)).json()["violations"] == 3
    other = await room.start(await room.student())
    answer = await player.ask("events", events=bad * 3)
    assert (answer.status_code, answer.json()["code"]) == (403, "too_many_violations")
    assert await player.dead() == "session_ended"
    assert (await row_of(room, PlaybackSession, player)).end_reason == "VIOLATIONS"
    assert await room.refused(player.student) == "too_many_violations"
    assert (await other.ask("events", events=bad[:1])).json()["violations"] == 1
    # Later they may again.
    async with room.lab.engine.begin() as connection:
        mine = update(PlaybackViolation).where(PlaybackViolation.student_id == player.student)
        await connection.execute(mine.values(at=PlaybackViolation.at - timedelta(hours=1)))
    await room.start(player.student)


async def test_staff_preview_without_a_trace(room: Classroom) -> None:
    token = staff.issue(room.lab.settings, "teacher", 60, room.tenant)
    answer = await room.ask("start", token)
    assert answer.status_code == 200, answer.text
    player = Player(room, 0, answer.json(), None)
    policy = player.started["policy"]
    assert (policy["access_mode"], policy["reason"], policy["seek_limit"]) == ("FREE_REVIEW", "PREVIEW", None)
    assert policy["watermark"].startswith("preview ")
    assert (await player.beat(50))["progress"] == 0.0
    assert (await player.get("360p/s00000.m4s")).status_code == 307
    second = await room.ask("start", token)
    assert second.status_code == 200
    assert (await player.ask("refresh")).status_code == 200
    path = f"/api/v1/media/videos/{room.video}/playback/start/"
    cookie = await header(room.lab, room.tenant)
    signed_in = cookie | {"Sec-Fetch-Site": "same-origin"}  # the console's page
    assert (await room.http.post(path, headers=signed_in)).status_code == 200
    operator = staff.issue(room.lab.settings, "operator", 60)
    assert (await room.ask("start", operator)).status_code == 404
    assert (await room.ask("start", operator, {"tenant_id": room.tenant})).status_code == 200
    stranger = staff.issue(room.lab.settings, "stranger", 60, fresh_id())
    assert (await room.ask("start", stranger)).status_code == 404
    assert (await room.ask("start", stranger, {"tenant_id": room.tenant})).status_code == 404
    async with room.lab.engine.begin() as connection:
        await viewing.revoke(connection, room.tenant, room.video)
    assert await player.dead() == "policy_changed"

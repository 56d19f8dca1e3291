"""Watching a lecture: start, refresh, heartbeat, events, end. The rules are in `rules/viewing.py`.

`start` is called by the academy's backend with its service key, which names the student, or by staff who
want to look. What it answers is for the player: the other calls are made with the playback token alone.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import audit, playback_tokens
from api.auth.playback import Guest, PlaybackStarter, TokenBody, TokenHolder, anyone_known, claims_of, live
from api.auth.playback_tokens import Claims
from api.params import VideoId
from api.problems import not_found
from api.routing import first
from api.services import Services, UseServices
from clients.database import viewing, watching
from clients.database.viewing import SessionRow, View
from contracts.base import Outside
from rules.dash import MANIFEST
from rules.viewing import SEEK_SLACK, VIOLATION_LIMIT, Refusal, Violation, Watched, advance, is_completed

router = APIRouter(
    prefix="/api/v1/media/videos/{video_id}/playback",
    route_class=first(anyone_known),
    responses={
        401: {"description": "No valid credential, or the token is dead"},
        403: {"description": "The policy does not allow it"},
        404: {"description": "No such video or student of this tenant"},
    },
)

REFUSALS = {
    Refusal.NOT_READY: "The lecture cannot be played yet.",
    Refusal.NOT_ENROLLED: "The student is not enrolled in the lecture's session.",
    Refusal.BLOCKED: "The student may not watch this lecture.",
}
Position = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]


class Start(Outside):
    """`student_id` is needed with a service key and ignored for staff. `tenant_id`: for operators, who
    have no tenant of their own."""

    model_config = ConfigDict(extra="forbid")

    student_id: int | None = Field(default=None, gt=0, lt=2**63)
    tenant_id: int | None = Field(default=None, gt=0, lt=2**63)


class Beat(TokenBody):
    """Where the player is, in seconds, and how fast it plays."""

    position: Position
    rate: float = Field(default=1.0, ge=0, le=16, allow_inf_nan=False)


class Event(Outside):
    """What a player saw: SEEK (`position`: where to), RATE (`rate`), TAB_HIDDEN."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(pattern=r"^[A-Z_]{1,32}$")
    position: Position = 0.0
    rate: float = Field(default=1.0, ge=0, le=16, allow_inf_nan=False)


class Events(TokenBody):
    events: list[Event] = Field(max_length=100)


@router.post("/start/")
async def start(
    video_id: VideoId,
    caller: PlaybackStarter,
    request: Request,
    services: UseServices,
    response: Response,
    body: Start | None = None,
) -> dict[str, Any]:
    """Decide, and let watch. 403 with the reason and the policy where it is not allowed. A student watches
    in one place: another session of theirs ends. `growing`: the lecture is still encoded, and its playlists
    grow; its links go on when it is READY."""
    body = body or Start()
    tenant = caller.tenant if caller.tenant is not None else body.tenant_id
    student = None if caller.staff else body.student_id
    if not tenant:
        raise not_found("video")
    if not caller.staff and student is None:
        if await _view(services, tenant, video_id) is None:
            raise not_found("video")
        raise HTTPException(422, {"detail": "Not valid: body.student_id.", "code": "invalid"})
    return await _begin(request, response, services, tenant, video_id, student)


@router.post("/join/")
async def join(
    video_id: VideoId, guest: Guest, request: Request, services: UseServices, response: Response
) -> dict[str, Any]:
    """As `start`, for who was invited: by the invitation as Bearer, and under the same policy."""
    return await _begin(request, response, services, guest.tenant, video_id, guest.student)


async def _view(services: Services, tenant: int, video_id: int) -> View | None:
    async with services.engine.connect() as connection:
        return await viewing.view(connection, tenant, video_id, None)


async def _begin(
    request: Request, response: Response, services: Services, tenant: int, video_id: int, student: int | None
) -> dict[str, Any]:
    """`student`: None for staff."""
    session = uuid4()
    lecture = await _view(services, tenant, video_id)
    if lecture is None:
        raise not_found("video")
    begun = await services.growing.of(lecture)
    async with services.engine.begin() as connection:
        audit.of_tenant(request, tenant)
        if student is not None and not await watching.lock_student(connection, tenant, student):
            raise not_found("student")
        audit.about(request, **({} if student is None else {"student": student}))
        viewer = await viewing.view(connection, tenant, video_id, student)
        assert viewer
        unseen = Refusal.NOT_READY if viewer.growing and begun is None else None
        if refusal := viewer.decision.refusal or unseen:
            detail = {"detail": REFUSALS[refusal], "code": refusal.lower()}
            raise HTTPException(403, detail | {"policy": _policy(viewer, session)})
        await _require_behaved(connection, tenant, video_id, viewer)
        await watching.open_session(connection, session, tenant, video_id, viewer, _expiry())
    claims = Claims(
        tenant=tenant, video=video_id, student=student, session=session, version=viewer.decision.version
    )
    answer = _answer(response, services, claims, viewer) | {"growing": viewer.growing}
    return answer | {"urls": _urls(services, session, viewer)}


@router.post("/refresh/")
async def refresh(
    video_id: VideoId,
    holder: TokenHolder,
    services: UseServices,
    response: Response,
    body: TokenBody | None = None,
) -> dict[str, Any]:
    """A new token for the same session, while the old one lives."""
    claims = claims_of(services, video_id, holder, body)
    async with services.engine.begin() as connection:
        _, viewer = await live(connection, claims)
        await watching.extend_session(connection, claims.session, claims.version, _expiry())
    return _answer(response, services, claims, viewer)


@router.post("/heartbeat/")
async def heartbeat(
    video_id: VideoId, holder: TokenHolder, services: UseServices, response: Response, body: Beat
) -> dict[str, Any]:
    """Every 10 s or so while the player is open. Notes how far the student is; `token` is a new one where
    this heartbeat completed the lecture and so changed the policy, else null."""
    claims = claims_of(services, video_id, holder, body)
    async with services.engine.begin() as connection:
        if claims.student is not None:
            await watching.lock_student(connection, claims.tenant, claims.student)
        session, viewer = await live(connection, claims)
        found: list[tuple[Violation, float]] = []
        if claims.student is not None:
            viewer, found = await _watch(connection, session, viewer, body)
            await watching.add_violations(connection, session, found)
        count = await _count(connection, claims, viewer)
        if count >= VIOLATION_LIMIT:
            await watching.end_session(connection, claims.session, "VIOLATIONS")
        changed = viewer.decision.version != claims.version
        if changed:
            claims = claims.model_copy(update={"version": viewer.decision.version})
            await watching.extend_session(connection, claims.session, claims.version, _expiry())
    _refuse_over_limit(count)
    fresh = _answer(response, services, claims, viewer)
    if not changed:
        fresh |= {"token": None, "expires_in": None}
    return fresh | _standing(viewer, count) | {"violation": found[0][0] if found else None}


@router.post("/events/")
async def events(
    video_id: VideoId, holder: TokenHolder, services: UseServices, body: Events
) -> dict[str, Any]:
    """What the player noticed. In PROCTORED_CLASS some of it breaks a rule; other types are ignored."""
    claims = claims_of(services, video_id, holder, body)
    async with services.engine.begin() as connection:
        session, viewer = await live(connection, claims)
        if viewer.decision.proctored:
            broken = [(kind, each.position) for each in body.events if (kind := _broken(viewer, each))]
            await watching.add_violations(connection, session, broken)
        count = await _count(connection, claims, viewer)
        if count >= VIOLATION_LIMIT:
            await watching.end_session(connection, claims.session, "VIOLATIONS")
    _refuse_over_limit(count)
    return _standing(viewer, count)


@router.post("/end/")
async def end(
    video_id: VideoId, holder: TokenHolder, services: UseServices, body: TokenBody | None = None
) -> dict[str, bool]:
    """Token and links of the session are dead from here on."""
    claims = claims_of(services, video_id, holder, body)
    async with services.engine.begin() as connection:
        await live(connection, claims)
        await watching.end_session(connection, claims.session, "ENDED")
    return {"ended": True}


async def _watch(
    connection: AsyncConnection, session: SessionRow, viewer: View, beat: Beat
) -> tuple[View, list[tuple[Violation, float]]]:
    """Take a heartbeat's position for true as far as the policy allows; what the viewer sees afterwards."""
    proctored = viewer.decision.proctored
    if viewer.growing and not proctored:  # whatever is told counts once it is known how long the lecture is
        return viewer, []
    position = beat.position if viewer.growing else min(beat.position, viewer.duration)
    found: list[tuple[Violation, float]] = []
    watched: Watched | None
    if proctored:
        watched = advance(viewer.watched, viewer.elapsed, position)
        if watched is None:
            found.append((Violation.SEEK_TOO_FAR, position))
            watched = viewer.watched
        elif beat.rate > 1.0:
            found.append((Violation.WRONG_RATE, position))
    else:
        watched = Watched(max(viewer.watched.furthest, position), viewer.watched.slack)
    progress = viewer.progress if viewer.growing else min(1.0, watched.furthest / viewer.duration)
    done = proctored and is_completed(progress, False)
    await watching.save_progress(connection, session, watched, progress, done)
    after = await viewing.view(connection, session.tenant_id, session.video_id, session.student_id)
    return after or viewer, found


def _broken(viewer: View, event: Event) -> Violation | None:
    match event.type:
        case "SEEK" if advance(viewer.watched, viewer.elapsed, event.position) is None:
            return Violation.SEEK_TOO_FAR
        case "RATE" if event.rate > 1.0:
            return Violation.WRONG_RATE
        case "TAB_HIDDEN":
            return Violation.TAB_HIDDEN
    return None


async def _count(connection: AsyncConnection, claims: Claims, viewer: View) -> int:
    if claims.student is None or not viewer.decision.proctored:
        return 0
    return await watching.recent_violations(connection, claims.tenant, claims.video, claims.student)


async def _require_behaved(connection: AsyncConnection, tenant: int, video_id: int, viewer: View) -> None:
    if viewer.student_id is not None and viewer.decision.proctored:
        count = await watching.recent_violations(connection, tenant, video_id, viewer.student_id)
        _refuse_over_limit(count)


def _refuse_over_limit(count: int) -> None:
    if count >= VIOLATION_LIMIT:
        detail = "The rules of this class were broken too often; start again later."
        raise HTTPException(403, {"detail": detail, "code": "too_many_violations", "violations": count})


def _answer(response: Response, services: Services, claims: Claims, viewer: View) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    return {
        "token": playback_tokens.issue(services.vault, claims),
        "expires_in": playback_tokens.LIFETIME,
        "session_id": str(claims.session),
        "policy": _policy(viewer, claims.session),
    }


def _policy(viewer: View, session: UUID) -> dict[str, Any]:
    """`seek_limit`: seconds beyond which the player must not seek now; null where there is no limit."""
    decision = viewer.decision
    viewed_by = "preview" if viewer.student_id is None else str(viewer.student_id)
    marked = decision.proctored or viewer.student_id is None
    return {
        "access_mode": decision.access_mode,
        "reason": decision.reason,
        "version": decision.version,
        "watermark": f"{viewed_by} {session.hex[:8]}" if marked else None,
        "max_rate": 1.0 if decision.proctored else 2.0,
        "seek_limit": viewer.watched.furthest + SEEK_SLACK if decision.proctored else None,
        "violation_limit": VIOLATION_LIMIT if decision.proctored else None,
    }


def _standing(viewer: View, count: int) -> dict[str, Any]:
    return {
        "furthest": viewer.watched.furthest,
        "progress": viewer.progress,
        "completed": is_completed(viewer.progress, False),
        "violations": count,
        "violation_limit": VIOLATION_LIMIT,
    }


def _urls(services: Services, session: UUID, viewer: View) -> dict[str, str | None]:
    base = f"/api/v1/play/{playback_tokens.link_of(services.vault, session)}"
    return {
        "master": f"{base}/master.m3u8",
        "dash": None if viewer.growing else f"{base}/{MANIFEST}",
        "poster": f"{base}/poster.jpg" if viewer.has_pictures else None,
        "storyboard": f"{base}/storyboard.vtt" if viewer.has_pictures else None,
        "subtitles": f"{base}/subtitles.vtt" if viewer.subtitles_key else None,
        "chapters": f"{base}/chapters.json" if viewer.has_chapters else None,
        "download": f"{base}/lecture.mp4" if viewer.download_key else None,
    }


def _expiry() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=playback_tokens.LIFETIME)

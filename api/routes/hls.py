"""What a player fetches: everything of one session's version of a lecture, and nothing beside it.

The links of a session hold for as long as its newest token. Playlists name what they need by relative
paths, so the bytes are served as they were published, and a link that an hour-long playlist gave is as good
as the session. Media goes by a redirect to the private bucket, signed for a minute: no segment passes
through this process.
"""

import asyncio
import re
from math import inf

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import playback_tokens
from api.auth.playback_tokens import dead
from api.dash import EncryptedLecture
from api.growing import Growing
from api.problems import not_found, refused
from api.services import Services, UseServices
from clients.database import captions, viewing
from clients.database.viewing import SessionRow, View
from clients.objects import ObjectMissing
from clients.vault import VaultError
from contracts.video import hls_root
from intake.captions import of_version
from rules.captions.writing import MEDIA, SEGMENT, Chapter, chapters_json, chapters_track, in_master
from rules.dash import MANIFEST
from rules.fmp4 import BadSegment
from rules.hls_keys import named
from rules.viewing import may_fetch, may_look

router = APIRouter(prefix="/api/v1/play", include_in_schema=False)

LINK_SECONDS = 60
PLAYLIST = "application/vnd.apple.mpegurl"
# The links themselves say who may: any page may fetch them, none is told where they came from.
OPEN = {"Access-Control-Allow-Origin": "*", "Referrer-Policy": "no-referrer"}
_FOLDER = r"[a-z0-9]{1,16}"
_PLAYLISTS = re.compile(rf"{_FOLDER}/(?:media|iframes)\.m3u8")
_MEDIA = re.compile(rf"(?:work/)?{_FOLDER}/(init\.mp4|s([0-9]{{5,6}})\.m4s)")
_CAPTIONS = re.compile(
    r"(captions/[0-9a-f]{32}|text[0-9]{1,2})/(?:media\.m3u8|(captions\.vtt)|s([0-9]{5})\.vtt)"
)
_PICTURES = re.compile(r"poster\.jpg|storyboard\.vtt|storyboard-[0-9]{2}\.jpg")
VTT = "text/vtt; charset=utf-8"
_CHAPTERS = re.compile(r"chapters\.(vtt|json)")


@router.api_route("/{link}/{path:path}", methods=["GET", "HEAD"])
async def play(link: str, path: str, request: Request, services: UseServices) -> Response:
    """A playlist, picture, subtitle, key, or the way to a segment. 401 when the session is over, 404 for
    whatever is no part of its version."""
    try:
        answer = await _play(link, path, services)
    except HTTPException as error:
        error.headers = OPEN | dict(error.headers or {})
        raise
    request.state.proven = True
    return answer


async def _play(link: str, path: str, services: Services) -> Response:
    session_id = playback_tokens.session_of(services.vault, link)
    async with services.engine.connect() as connection:
        session, viewer = await viewing.session_view(connection, session_id)
    if session is None or viewer is None or session.policy_version != viewer.decision.version:
        raise dead("session_ended", "This session has ended: start again.")
    if media := _MEDIA.fullmatch(path):
        number = int(media[2] or 0)
        if viewer.decision.proctored and not may_fetch(viewer.watched, viewer.elapsed, number):
            raise refused(403, "beyond_the_clock", "This part may be watched later.")
        where = services.objects.link(session.hls_prefix + path, LINK_SECONDS)
        return RedirectResponse(where, 307, OPEN | {"Cache-Control": "no-store"})
    if key := named(path):
        if viewer.decision.proctored and not may_fetch(viewer.watched, viewer.elapsed, key.first or 0):
            raise refused(403, "beyond_the_clock", "This part may be watched later.")
        try:
            content = services.vault.hls_key(key.id, session.hls_prefix, key.first)
        except VaultError:
            raise not_found("key") from None
        return _respond(content, "application/octet-stream", "no-store")
    if part := _CAPTIONS.fullmatch(path):
        at = (viewer.duration or inf) if part[2] else int(part[3] or 0) * SEGMENT / 1000
        if viewer.decision.proctored and not may_look(viewer.watched, viewer.elapsed, at):
            raise refused(403, "beyond_the_clock", "This part may be watched later.")
        below = hls_root(session.tenant_id, session.video_id) if "/" in part[1] else session.hls_prefix
        kind = PLAYLIST if path.endswith(MEDIA) else VTT
        return await _object(services, below + path, kind, "no-store")
    # What grew a moment ago is published now, or gone.
    same = path.endswith(".m3u8") and viewer.hls_prefix == session.hls_prefix
    if same and (lecture := await services.growing.of(viewer)):
        return await _growing(services, session, lecture, path)
    if path == MANIFEST:
        return await _dash(services, session, viewer)
    if path == "lecture.mp4" and (viewer.download_key or "").startswith(session.hls_prefix):
        assert viewer.download_key
        where = services.objects.link(viewer.download_key, LINK_SECONDS, saved_as=f"{session.video_id}.mp4")
        return RedirectResponse(where, 307, OPEN | {"Cache-Control": "no-store"})
    if path == "master.m3u8":
        return await _master(services, session)
    if chapters := _CHAPTERS.fullmatch(path):
        return await _chapters(services, session, viewer.duration, chapters[1])
    if path == "subtitles.vtt" and viewer.subtitles_key:
        return await _object(services, viewer.subtitles_key, VTT, "private, no-cache")
    if _PLAYLISTS.fullmatch(path):
        return await _object(services, session.hls_prefix + path, PLAYLIST, "no-store")
    if _PICTURES.fullmatch(path):
        kind = VTT if path.endswith(".vtt") else "image/jpeg"
        return await _object(services, session.hls_prefix + path, kind, "private, max-age=3600")
    raise not_found("object")


async def _master(services: Services, session: SessionRow, master: str | None = None) -> Response:
    """As it was published, or this one, with the captions that there are now: they change without an
    encode."""
    tenant, video = session.tenant_id, session.video_id
    async with services.engine.connect() as connection:
        rows = await captions.listed(connection, tenant, video)
    if master is None:
        master = (await _bytes(services, session.hls_prefix + "master.m3u8")).decode()
    shown = of_version(session.hls_prefix, hls_root(tenant, video), rows)
    return _respond(in_master(master, shown).encode(), PLAYLIST, "no-store")


async def _dash(services: Services, session: SessionRow, viewer: View) -> Response:
    """For DASH players, over the same segments, with the captions that there are now."""
    if viewer.growing and viewer.hls_prefix == session.hls_prefix:
        raise refused(404, "dash_growing", "There is no DASH manifest before the lecture is READY: play HLS.")
    async with services.engine.connect() as connection:
        rows = await captions.listed(connection, session.tenant_id, session.video_id)
    shown = of_version(session.hls_prefix, hls_root(session.tenant_id, session.video_id), rows)
    try:
        manifest = await services.dash.of(session.hls_prefix)
    except EncryptedLecture:
        detail = "Segments of this lecture are encrypted as only HLS knows it: play urls.master."
        raise refused(404, "dash_encrypted", detail) from None
    except (ObjectMissing, BadSegment):
        raise not_found("manifest") from None
    text = manifest.text(shown, in_parts=viewer.decision.proctored)
    return _respond(text.encode(), "application/dash+xml", "no-store")


async def _growing(services: Services, session: SessionRow, lecture: Growing, path: str) -> Response:
    """A playlist of what there is so far of a lecture that is still encoded."""
    if path == "master.m3u8":
        return await _master(services, session, lecture.master())
    folder, _, name = path.partition("/")
    media = lecture.media(folder) if name == "media.m3u8" else None
    if media is None:
        raise not_found("object")
    return _respond(media.encode(), PLAYLIST, "no-store")


async def _chapters(services: Services, session: SessionRow, duration: float, kind: str) -> Response:
    async with services.engine.connect() as connection:
        rows = await captions.chapters(connection, session.tenant_id, session.video_id)
    listed = [Chapter(row["start"], row["title"]) for row in rows]
    if kind == "json":
        return _respond(chapters_json(listed, duration).encode(), "application/json", "no-store")
    return _respond(chapters_track(listed, duration).encode(), VTT, "no-store")


async def _object(services: Services, key: str, content_type: str, cache: str) -> Response:
    return _respond(await _bytes(services, key), content_type, cache)


async def _bytes(services: Services, key: str) -> bytes:
    try:
        return await asyncio.to_thread(services.objects.get, key)
    except ObjectMissing:
        raise not_found("object") from None


def _respond(content: bytes, content_type: str, cache: str) -> Response:
    headers = OPEN | {"Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=content_type, headers=headers)

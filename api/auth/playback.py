"""Who calls about a playback: who may start one, and who holds one's token."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import playback_tokens
from api.auth.callers import tenant_of
from api.auth.playback_tokens import Claims, Invitation, dead
from api.auth.sessions import Purpose, secret_of
from api.auth.staff import staff_of
from api.params import VideoId
from api.problems import not_found
from api.services import Services, UseServices, get_services
from clients.database import viewing
from clients.database.viewing import SessionRow, View
from contracts.base import Outside


class TokenBody(Outside):
    """`token`: where the caller shows its service key and not the token as Bearer."""

    model_config = ConfigDict(extra="forbid")

    token: str | None = Field(default=None, max_length=2000)


@dataclass(frozen=True)
class Starter:
    tenant: int | None
    staff: bool


@dataclass(frozen=True)
class Holder:
    """`claims` if the playback token itself is what was shown."""

    tenant: int
    claims: Claims | None


async def starter(
    request: Request, services: UseServices, authorization: Annotated[str, Header()] = ""
) -> Starter:
    """A service key, or staff by token or cookie."""
    secret = authorization.partition(" ")[2].strip()
    by_token = services.settings.staff_jwt_key and secret.count(".") == 2
    if by_token or (not secret and secret_of(request, Purpose.CONSOLE)):
        return Starter((await staff_of(request)).tenant_id, staff=True)
    return Starter(await tenant_of(request, None, None), staff=False)


async def holder(
    video_id: VideoId, request: Request, services: UseServices, authorization: Annotated[str, Header()] = ""
) -> Holder:
    """The playback token, or a service key or staff who then send it in the body."""
    secret = authorization.partition(" ")[2].strip()
    if playback_tokens.is_token(secret):
        claims = playback_tokens.verify(services.vault, secret)
        if claims.video != video_id:
            raise not_found("video")
        request.state.proven = True
        return Holder(claims.tenant, claims)
    caller = await starter(request, services, authorization)
    async with services.engine.connect() as connection:
        if caller.tenant is None or await viewing.view(connection, caller.tenant, video_id, None) is None:
            raise not_found("video")
    return Holder(caller.tenant, None)


async def anyone_known(request: Request) -> None:
    """Before a body is read: HTTPException 401 for who shows none of these credentials."""
    services, authorization = get_services(request), request.headers.get("authorization", "")
    secret = authorization.partition(" ")[2].strip()
    if playback_tokens.is_token(secret):
        playback_tokens.verify(services.vault, secret)
    elif playback_tokens.is_invitation(secret):
        playback_tokens.invited(services.vault, secret)
    else:
        await starter(request, services, authorization)


async def guest(
    video_id: VideoId, request: Request, services: UseServices, authorization: Annotated[str, Header()] = ""
) -> Invitation:
    """Who has an invitation to this lecture."""
    found = playback_tokens.invited(services.vault, authorization.partition(" ")[2].strip())
    if found.video != video_id:
        raise not_found("video")
    request.state.proven = True
    return found


Guest = Annotated[Invitation, Depends(guest)]
PlaybackStarter = Annotated[Starter, Depends(starter)]
TokenHolder = Annotated[Holder, Depends(holder)]


def claims_of(services: Services, video_id: int, holder: Holder, body: TokenBody | None) -> Claims:
    """What the caller may: by its own token, or by the one in the body."""
    if holder.claims:
        return holder.claims
    claims = playback_tokens.verify(services.vault, (body and body.token) or "")
    if (claims.tenant, claims.video) != (holder.tenant, video_id):
        raise not_found("video")
    return claims


async def live(connection: AsyncConnection, claims: Claims) -> tuple[SessionRow, View]:
    """The token's session, if it is open and the policy is still the one it was given under."""
    session, viewer = await viewing.session_view(connection, claims.session)
    if session is None or viewer is None:
        raise dead("session_ended", "This session has ended: start again.")
    if not session.policy_version == viewer.decision.version == claims.version:
        raise dead("policy_changed", "What the student may do has changed: start again.")
    return session, viewer

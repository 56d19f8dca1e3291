"""What a viewer holds: an invitation for days, a token that dies after 600 s, and the links that its
session's player follows.

All are signed with keys derived from PAYLOAD_KEYS, so that rotating those rotates these.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict

from clients.vault import Vault, VaultError

LIFETIME = 600
TYPE = "playback+jwt"  # RFC 8725, 3.11: no other token of ours is taken for one of these
_ALGORITHM, _AUDIENCE = "HS256", "playback"
INVITATION, _INVITED = "invitation+jwt", "invitation"
_SESSION, _MAC = 16, 16  # bytes


class Claims(BaseModel):
    """Whom a token lets watch what: one session of one student (None: staff) under one policy version."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    tenant: int
    video: int
    student: int | None
    session: UUID
    version: str


class Invitation(BaseModel):
    """Who may begin to watch what as whom. It says nothing of whether they may: that is asked each time."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    tenant: int
    video: int
    student: int


def issue(vault: Vault, claims: Claims) -> str:
    """A token of LIFETIME seconds."""
    body = claims.model_dump(mode="json") | {"aud": _AUDIENCE, "exp": int(time.time()) + LIFETIME}
    headers = {"kid": vault.key_id, "typ": TYPE}
    return jwt.encode(body, _token_key(vault, vault.key_id), _ALGORITHM, headers)


def is_token(text: str) -> bool:
    """Whether it says that it is one."""
    return _type(text) == TYPE


def is_invitation(text: str) -> bool:
    """Whether it says that it is one."""
    return _type(text) == INVITATION


def _type(text: str) -> object:
    try:
        return jwt.get_unverified_header(text).get("typ")
    except jwt.PyJWTError:
        return None


def invite(vault: Vault, invitation: Invitation, until: datetime) -> str:
    """An invitation that is good until then."""
    body = invitation.model_dump(mode="json") | {"aud": _INVITED, "exp": int(until.timestamp())}
    headers = {"kid": vault.key_id, "typ": INVITATION}
    return jwt.encode(body, _invitation_key(vault, vault.key_id), _ALGORITHM, headers)


def invited(vault: Vault, text: str) -> Invitation:
    """HTTPException 401 for an invitation that is not ours, altered, or too old."""
    try:
        return Invitation.model_validate(_body(vault, text, _invitation_key, _INVITED))
    except jwt.ExpiredSignatureError:
        raise dead("invitation_expired", "This invitation has expired: ask for another.") from None
    except (jwt.PyJWTError, VaultError, ValueError):
        raise dead("not_authenticated", "This is no invitation of ours.") from None


def verify(vault: Vault, token: str) -> Claims:
    """HTTPException 401 for a token that is not ours, altered, or too old."""
    try:
        return Claims.model_validate(_body(vault, token, _token_key, _AUDIENCE))
    except jwt.ExpiredSignatureError:
        raise dead("token_expired", "The playback token has expired: start again.") from None
    except (jwt.PyJWTError, VaultError, ValueError):
        raise dead("not_authenticated", "Send the playback token of this session.") from None


def _body(vault: Vault, text: str, key_of: Callable[[Vault, str], bytes], audience: str) -> dict[str, Any]:
    """Raises jwt.PyJWTError, VaultError."""
    key = key_of(vault, str(jwt.get_unverified_header(text).get("kid")))
    return jwt.decode(
        text, key, algorithms=[_ALGORITHM], audience=audience, options={"require": ["exp", "aud"]}
    )


def link_of(vault: Vault, session: UUID) -> str:
    """The part of a session's links that nobody can guess; 43 characters."""
    return base64.urlsafe_b64encode(session.bytes + _mac(vault, vault.key_id, session)).decode().rstrip("=")


def session_of(vault: Vault, link: str) -> UUID:
    """The session that a link names. HTTPException 401 for one that we did not make."""
    try:
        data = base64.b64decode(link + "=" * (-len(link) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) == _SESSION + _MAC:
        session = UUID(bytes=data[:_SESSION])
        if any(hmac.compare_digest(data[_SESSION:], _mac(vault, each, session)) for each in vault.key_ids):
            return session
    raise dead("not_authenticated", "This is no link of a playback session.")


def dead(code: str, detail: str) -> HTTPException:
    return HTTPException(401, {"detail": detail, "code": code}, {"WWW-Authenticate": "Bearer"})


def _mac(vault: Vault, key_id: str, session: UUID) -> bytes:
    key = vault.derive(key_id, b"playback link")
    return hmac.digest(key, session.bytes, "sha256")[:_MAC]


def _invitation_key(vault: Vault, key_id: str) -> bytes:
    return vault.derive(key_id, b"playback invitation")


def _token_key(vault: Vault, key_id: str) -> bytes:
    return vault.derive(key_id, b"playback token")

"""Sign-in at an identity provider: OpenID Connect's code flow with PKCE, state and nonce.

OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207 (the answer's issuer), RFC 9700 (best current practice).
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from api.auth.people import Staff
from clients.settings import Settings
from clients.vault import Vault, VaultError

ALGORITHMS = ["RS256", "PS256", "ES256"]  # asymmetric: a secret that both know would let either sign
SECONDS = 10.0  # for each question to the provider
LARGEST = 256 * 1024  # bytes of an answer
DISCOVERED = 3600.0  # seconds that the provider's own description is kept
LOOK_AGAIN = (
    60.0  # seconds between two looks for a key that is not known: keys rotate, strangers make up names
)
ON_THE_WAY = 600  # seconds that a person has at the provider
LEEWAY = 30  # seconds that clocks may differ
_BOUND = b"oidc sign-in"


class ProviderAway(Exception):
    """It does not answer, or not as the protocol says."""


class NotLetIn(Exception):
    """What came back is not the answer to what was asked, or not of somebody who may come in."""


class _Described(BaseModel):
    """https://openid.net/specs/openid-connect-discovery-1_0.html, as far as it is needed."""

    model_config = ConfigDict(hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@dataclass(frozen=True)
class Asked:
    """Where to send the person, and what their browser keeps until they come back: sealed, it cannot be
    made up."""

    url: str
    kept: str


@dataclass(frozen=True)
class Known:
    staff: Staff
    next: str


class Provider:
    """The provider of OIDC_ISSUER. One for each process: it keeps the provider's description and keys."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        assert settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret
        self._settings, self._vault = settings, vault
        self._issuer, self._client = settings.oidc_issuer, settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()
        self._described: tuple[float, _Described] | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._looked = -LOOK_AGAIN

    async def ask(self, redirect_uri: str, next: str, *, again: bool) -> Asked:
        """Begin. `again`: the person must show who they are, also if the provider knows them. Raises
        ProviderAway."""
        described = await self._description()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": redirect_uri,
            "scope": self._settings.oidc_scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if again:
            query |= {"prompt": "login", "max_age": "0"}
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "next": next, "uri": redirect_uri}
        more = {"until": time.time() + ON_THE_WAY, "again": again}
        sealed = self._vault.encrypt(json.dumps(kept | more).encode(), _BOUND)
        joined = "&" if "?" in described.authorization_endpoint else "?"
        url = f"{described.authorization_endpoint}{joined}{urlencode(query)}"
        return Asked(url, base64.urlsafe_b64encode(sealed).decode())

    async def answered(self, kept: str, *, state: str, code: str, issuer: str | None) -> Known:
        """Who it is. Raises NotLetIn, ProviderAway."""
        asked = self._opened(kept)
        if not secrets.compare_digest(asked["state"].encode(), state.encode()):
            raise NotLetIn("another sign-in's answer")
        if issuer is not None and issuer != self._issuer:
            raise NotLetIn("another provider's answer")
        token = await self._redeemed(code, asked["verifier"], asked["uri"])
        claims = await self._claims(token)
        if not secrets.compare_digest(_bytes(claims.get("nonce")), asked["nonce"].encode()):
            raise NotLetIn("a token of another sign-in")
        staff = self._staff(claims)
        longest = self._settings.staff_recent_seconds
        if asked["again"] and (staff.auth_time is None or time.time() - staff.auth_time > longest):
            raise NotLetIn("not shown again")
        return Known(staff, asked["next"])

    def _opened(self, kept: str) -> dict[str, Any]:
        try:
            sealed = base64.urlsafe_b64decode(kept.encode())
            asked: dict[str, Any] = json.loads(self._vault.decrypt(sealed, _BOUND))
        except (ValueError, VaultError):
            raise NotLetIn("no sign-in of this browser") from None
        if asked["until"] < time.time():
            raise NotLetIn("too late")
        return asked

    async def _redeemed(self, code: str, verifier: str, redirect_uri: str) -> str:
        described = await self._description()
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        answer = await self._talk("POST", described.token_endpoint, form | {"redirect_uri": redirect_uri})
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotLetIn("no token for this code")
        return token

    async def _claims(self, token: str) -> dict[str, Any]:
        """Of a token that the provider signed for us, lately."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._client,
                leeway=LEEWAY,
                options={"require": ["iss", "aud", "exp", "iat", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise NotLetIn(type(error).__name__) from None
        audiences, party = claims["aud"], claims.get("azp")
        if party not in (None, self._client) or (
            isinstance(audiences, list) and len(audiences) > 1 and not party
        ):
            raise NotLetIn("made for another client")
        return claims

    async def _key(self, name: str) -> jwt.PyJWK:
        if name not in self._keys and time.monotonic() - self._looked > LOOK_AGAIN:
            described = await self._description()
            found = await self._talk("GET", described.jwks_uri)
            self._looked = time.monotonic()
            try:
                self._keys = {str(key.key_id or ""): key for key in jwt.PyJWKSet.from_dict(found).keys}
            except (jwt.PyJWTError, AttributeError, TypeError, ValueError):  # its parser trusts the shape
                raise ProviderAway("its keys cannot be read") from None
        if name not in self._keys:
            raise NotLetIn("signed with an unknown key")
        return self._keys[name]

    def _staff(self, claims: dict[str, Any]) -> Staff:
        """The same claims as a staff token's. Who has neither a tenant nor operates is let in nowhere."""
        try:
            staff = Staff.model_validate(claims)
        except ValidationError:
            raise NotLetIn("no tenant and no role of ours") from None
        return staff.with_rights(self._settings.default_rights())

    async def _description(self) -> _Described:
        if self._described and time.monotonic() - self._described[0] < DISCOVERED:
            return self._described[1]
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            described = _Described.model_validate(await self._talk("GET", where))
        except ValidationError:
            raise ProviderAway("its description has something missing") from None
        scheme = urlsplit(self._issuer).scheme
        ends = (described.authorization_endpoint, described.token_endpoint, described.jwks_uri)
        if described.issuer != self._issuer or any(urlsplit(each).scheme != scheme for each in ends):
            raise ProviderAway("its description is another's")
        self._described = (time.monotonic(), described)
        return described

    async def _talk(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        """A JSON object. With a form we say who we are (client_secret_basic). Raises ProviderAway; NotLetIn
        where the provider refuses the form."""
        who = httpx.BasicAuth(self._client, self._secret) if form else None
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as http,
                http.stream(
                    method, url, data=form, auth=who, headers={"Accept": "application/json"}
                ) as answer,
            ):
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > LARGEST:
                        raise ProviderAway("its answer has no end")
        except httpx.HTTPError as error:
            raise ProviderAway(type(error).__name__) from None
        if form and 400 <= answer.status_code < 500:
            raise NotLetIn("the provider refuses the code")
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if answer.status_code != 200 or not isinstance(found, dict):
            raise ProviderAway(f"it answers {answer.status_code}")
        return found


def _bytes(claim: object) -> bytes:
    """Whatever is claimed, to be compared with what is right."""
    return str(claim).encode(errors="surrogatepass")

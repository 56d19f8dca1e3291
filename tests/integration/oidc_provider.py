"""A small identity provider that is real as far as it goes: it describes itself, asks for PKCE and the
client's secret, gives each code once, signs with keys that rotate; and can be told to lie."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT, SECRET = "academy-console", "a secret of the test's own"


class Key:
    def __init__(self, name: str, algorithm: str = "ES256") -> None:
        self.name, self.algorithm = name, algorithm
        if algorithm == "ES256":
            self.private: Any = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            self.private = rsa.generate_private_key(65537, 2048)
            public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.public = public | {"kid": name, "use": "sig", "alg": algorithm}


@dataclass
class OidcProvider:
    """`person`: claims of whoever signs in. `lies`: claims that are put over those. `signs`: what makes a
    token of claims instead of the newest key, `shows` what is shown instead of the keys."""

    issuer: str = ""
    keys: list[Key] = field(default_factory=lambda: [Key("one")])
    person: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    signs: Any = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    shows: Any = None
    away: bool = False

    def reply(self, request: Request, body: bytes) -> Response:
        if self.away:
            return Response(status_code=502)
        match request.url.path:
            case "/.well-known/openid-configuration":
                ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                described = {name: f"{self.issuer}/{end}" for name, end in ends.items()}
                return JSONResponse({"issuer": self.issuer} | described | self.described)
            case "/keys":
                return JSONResponse({"keys": self.shows or [each.public for each in self.keys]})
            case "/authorize":
                return self._authorize(dict(request.query_params))
            case "/token":
                return self._token(request, {name: one for name, (one,) in parse_qs(body.decode()).items()})
        return Response(status_code=404)

    def _authorize(self, asked: dict[str, str]) -> Response:
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        assert len(asked["state"]) >= 32 and len(asked["nonce"]) >= 32
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    def _token(self, request: Request, form: dict[str, str]) -> Response:
        who = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            asked is None
            or who != f"{CLIENT}:{SECRET}"
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "kim", "iat": now, "exp": now + 60}
        claims |= {"nonce": asked["nonce"], "auth_time": now} | self.person | self.lies
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.signs(claims) if self.signs else self.signed(claims, self.keys[-1])
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def signed(self, claims: dict[str, Any], key: Key) -> str:
        return jwt.encode(claims, key.private, key.algorithm, {"kid": key.name})

    def unsigned(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, None, "none", {"kid": self.keys[-1].name})

    def by_public_key(self, claims: dict[str, Any]) -> str:
        """The old confusion: the public key as a shared secret."""
        head = {"alg": "HS256", "typ": "JWT", "kid": self.keys[-1].name}
        signed = b".".join(_encoded(json.dumps(each).encode()) for each in (head, claims))
        pem = self.keys[-1].private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return (signed + b"." + _encoded(hmac.digest(pem, signed, "sha256"))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def parts(address: str) -> dict[str, str]:
    """What an address asks."""
    return {name: one for name, (one,) in parse_qs(urlsplit(address).query).items()}

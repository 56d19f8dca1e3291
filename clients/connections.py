"""How each server is reached: address, credentials and TLS, as parts of the settings."""

import json
from collections import Counter
from typing import Literal, Self

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator, model_validator
from sqlalchemy import URL
from temporalio.service import TLSConfig

from clients.settings_sources import Part
from contracts.catalog import ai_payloads
from contracts.mail import MailServer, Tls
from contracts.scaling import Group

ENCRYPTED = ("require", "verify-ca", "verify-full")


class AwsPart(Part):
    aws_region: str = "ap-northeast-2"


class PostgresPart(AwsPart):
    # One name, or several, comma separated: the first that answers as asked below is used.
    db_host: str
    db_port: int = 5432
    db_name: str
    db_user: str
    db_password: SecretStr = SecretStr("")
    # `iam`: each connection signs in with a token of the AWS role (RDS), good for 15 minutes.
    db_auth: Literal["password", "iam"] = "password"
    db_sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    db_sslrootcert: FilePath | Literal["system"] | None = None
    db_target_session_attrs: Literal["any", "read-write"] = "read-write"
    db_pool_size: int = Field(default=10, ge=1, description="Connections of a process, no more")
    # Behind PgBouncer, transaction by transaction: nothing is set or kept for a connection's life.
    db_pgbouncer: bool = False

    @model_validator(mode="after")
    def _signs_in(self) -> Self:
        if self.db_auth == "password" and not self.db_password.get_secret_value():
            raise ValueError("DB_PASSWORD must be set, or DB_AUTH=iam")
        if self.db_auth == "iam" and self.db_sslmode not in ENCRYPTED:
            raise ValueError(f"DB_AUTH=iam needs DB_SSLMODE to be one of {', '.join(ENCRYPTED)}")
        if self.db_sslmode.startswith("verify-") and not self.db_sslrootcert:
            raise ValueError(f"DB_SSLMODE={self.db_sslmode} needs DB_SSLROOTCERT, a file or `system`")
        return self

    def database_url(self) -> URL:
        query: dict[str, str] = {
            "sslmode": self.db_sslmode,
            "target_session_attrs": self.db_target_session_attrs,
        }
        if self.db_sslrootcert:
            query["sslrootcert"] = str(self.db_sslrootcert)
        return URL.create(
            "postgresql+psycopg",
            username=self.db_user,
            password=self.db_password.get_secret_value() or None,
            host=self.db_host,
            port=self.db_port,
            database=self.db_name,
            query=query,
        )


class RedisPart(Part):
    """Display only."""

    redis_host: str
    redis_port: int = 6379
    redis_username: str | None = None
    redis_password: SecretStr | None = None
    redis_db: int = 0
    redis_tls: bool = False
    redis_tls_ca: FilePath | None = None  # else the CAs of this machine
    redis_cluster: bool = False  # REDIS_HOST is a configuration endpoint, or any node

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if self.redis_cluster and self.redis_db:
            raise ValueError("REDIS_CLUSTER=true has no REDIS_DB but 0")
        if self.redis_tls_ca and not self.redis_tls:
            raise ValueError("REDIS_TLS_CA needs REDIS_TLS=true, or nothing is encrypted")
        return self


class TemporalPart(Part):
    temporal_address: str
    temporal_namespace: str = "default"
    temporal_api_key: SecretStr | None = None
    temporal_tls: bool = False
    # PEM, under the names of Temporal's own command line; `…_PATH` names a file instead.
    temporal_tls_client_cert_data: str | None = None
    temporal_tls_client_key_data: SecretStr | None = None
    temporal_tls_server_ca_cert_data: str | None = None  # else the CAs of this machine
    temporal_tls_server_name: str | None = None  # in the server's certificate, where it is not the address
    # Which build of these programs works: Temporal keeps it with every task that a worker has done.
    build_id: str = "unnamed"
    worker_heartbeat_seconds: float = Field(default=10, ge=1, le=60, description="Slots in use are told")

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.temporal_api_key and not self.temporal_tls:
            raise ValueError("TEMPORAL_API_KEY needs TEMPORAL_TLS=true, or the key travels in the clear")
        certificate, key = self.temporal_tls_client_cert_data, self.temporal_tls_client_key_data
        if bool(certificate) != bool(key):
            raise ValueError("TEMPORAL_TLS_CLIENT_CERT_* and TEMPORAL_TLS_CLIENT_KEY_* must be set together")
        others = (certificate, self.temporal_tls_server_ca_cert_data, self.temporal_tls_server_name)
        if any(others) and not self.temporal_tls:
            raise ValueError("TEMPORAL_TLS_* need TEMPORAL_TLS=true, or nothing is encrypted")
        return self

    def temporal_tls_config(self) -> TLSConfig | bool:
        if not self.temporal_tls:
            return False
        key = self.temporal_tls_client_key_data
        return TLSConfig(
            server_root_ca_cert=_bytes(self.temporal_tls_server_ca_cert_data),
            domain=self.temporal_tls_server_name,
            client_cert=_bytes(self.temporal_tls_client_cert_data),
            client_private_key=_bytes(key.get_secret_value() if key else None),
        )


class ObjectsPart(Part):
    """R2 or any S3."""

    r2_endpoint_url: str
    r2_region: str = "auto"  # R2's own; AWS wants the bucket's
    # `role`: of this machine or container, by the usual AWS chain.
    r2_credentials: Literal["keys", "role"] = "keys"
    r2_access_key_id: str = ""
    r2_secret_access_key: SecretStr = SecretStr("")
    r2_bucket: str = "academy-video"

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        keys = {
            "R2_ACCESS_KEY_ID": self.r2_access_key_id,
            "R2_SECRET_ACCESS_KEY": self.r2_secret_access_key.get_secret_value(),
        }
        missing = [name for name, value in keys.items() if not value]
        if self.r2_credentials == "keys" and missing:
            raise ValueError(f"{' and '.join(missing)} must be set, or R2_CREDENTIALS=role")
        if self.r2_credentials == "role" and len(missing) < len(keys):
            raise ValueError("R2_CREDENTIALS=role uses no R2_ACCESS_KEY_ID and no R2_SECRET_ACCESS_KEY")
        return self


class MailPart(Part):
    """The platform's mail server (SMTP), for academies that have none of their own."""

    smtp_host: str | None = None
    smtp_port: int | None = Field(default=None, ge=1, le=65535)  # 587, 465 with `implicit`, 25 with `none`
    # A server that does not encrypt so, or whose certificate is not good, gets nothing.
    smtp_tls: Tls = "starttls"
    smtp_tls_ca: FilePath | None = None  # else the CAs of this machine
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    smtp_from_name: str | None = None

    @model_validator(mode="after")
    def _reaches_a_mail_server(self) -> Self:
        try:
            self.mail_server()
        except ValidationError as error:
            what = error.errors(include_input=False, include_url=False)[0]
            field = "_".join(map(str, what["loc"]))
            names = {"host": "SMTP_HOST", "sender": "SMTP_FROM", "sender_name": "SMTP_FROM_NAME"}
            raise ValueError(f"{names.get(field, 'SMTP_*')}: {what['msg']}") from None
        return self

    def mail_server(self) -> MailServer | None:
        """None where no host is named."""
        if not self.smtp_host:
            return None
        if not self.smtp_from:
            raise ValueError("SMTP_HOST needs SMTP_FROM, the address that e-mails are from")
        return MailServer(
            host=self.smtp_host,
            port=self.smtp_port,
            tls=self.smtp_tls,
            sender=self.smtp_from,
            sender_name=self.smtp_from_name,
            username=self.smtp_username,
            password=self.smtp_password.get_secret_value() if self.smtp_password else None,
        )


class QueuesPart(AwsPart):
    """SQS. Credentials come from the usual AWS chain."""

    sqs_endpoint_url: str | None = None
    video_sqs_queue_name: str = "academy-video-jobs"
    ai_sqs_queue_name_lite: str = "academy-ai-jobs-lite"
    ai_sqs_queue_name_basic: str = "academy-ai-jobs-basic"
    ai_sqs_queue_name_premium: str = "academy-ai-jobs-premium"
    messaging_sqs_queue_name: str = "academy-messaging-jobs"
    # Of newer producers, where they are: `academy-v1-tools-queue`, `academy-video-delete-r2`.
    tools_sqs_queue_name: str | None = None
    video_delete_sqs_queue_name: str | None = None
    # Job types of the AI queues that nobody here implements, comma separated: they wait by name for who does.
    external_job_types: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,49}( *, *|$))*$")
    sqs_wait_seconds: int = Field(default=20, ge=0, le=20)
    # The queues' own visibility timeouts are hours, for workers that held a message while they worked. The
    # bridge holds one for moments: after a crash its messages come back when this is over.
    sqs_hold_seconds: int = Field(default=60, ge=5)

    @model_validator(mode="after")
    def _different_queues(self) -> Self:
        queues = self.queue_names()
        if len(set(queues.values())) != len(queues):
            raise ValueError("two of *_SQS_QUEUE_NAME* are the same queue; only AI tiers may share one")
        return self

    @field_validator("external_job_types")
    @classmethod
    def _not_ours(cls, names: str) -> str:
        if ours := _names(names) & ai_payloads().keys():
            raise ValueError(
                f"EXTERNAL_JOB_TYPES names types that are implemented here: {', '.join(sorted(ours))}"
            )
        return names

    @property
    def external(self) -> frozenset[str]:
        return _names(self.external_job_types)

    def queue_names(self) -> dict[str, str]:
        """Our name of a queue → the SQS queue's name. AI tiers that share a queue are one, named `ai`."""
        tiers = {
            "ai-lite": self.ai_sqs_queue_name_lite,
            "ai-basic": self.ai_sqs_queue_name_basic,
            "ai-premium": self.ai_sqs_queue_name_premium,
        }
        shared = Counter(tiers.values())
        further = {"tools": self.tools_sqs_queue_name, "video-delete": self.video_delete_sqs_queue_name}
        return {
            "video": self.video_sqs_queue_name,
            **{tier if shared[name] == 1 else "ai": name for tier, name in tiers.items()},
            "messaging": self.messaging_sqs_queue_name,
            **{ours: name for ours, name in further.items() if name},
        }


def _names(listed: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in listed.split(","))))


class ScalerPart(TemporalPart, QueuesPart):
    # As JSON; without any nothing is scaled from here (`contracts.scaling`).
    scaler_groups: tuple[Group, ...] = ()
    scaler_namespace: str = "Academy/Workers"  # of the figures in CloudWatch

    @field_validator("scaler_groups", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("scaler_groups")
    @classmethod
    def _once(cls, groups: tuple[Group, ...]) -> tuple[Group, ...]:
        if len({each.name for each in groups}) != len(groups):
            raise ValueError("SCALER_GROUPS names a group twice")
        return groups


def _bytes(pem: str | None) -> bytes | None:
    return pem.encode() if pem else None

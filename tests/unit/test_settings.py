"""Where settings stand, what contradicts itself, and who may know what."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from clients import settings_sources
from clients.connections import ObjectsPart, PostgresPart, TemporalPart
from clients.settings import Settings
from clients.settings_sources import SECRETS, Process, Unreadable, read, read_or_exit

NEEDED = {
    "DB_HOST": "db",
    "DB_NAME": "academy",
    "DB_USER": "academy",
    "DB_PASSWORD": "of-the-database",
    "REDIS_HOST": "redis",
    "TEMPORAL_ADDRESS": "temporal:7233",
    "R2_ENDPOINT_URL": "https://objects.example.com",
    "R2_ACCESS_KEY_ID": "key",
    "R2_SECRET_ACCESS_KEY": "of-the-store",
    "PAYLOAD_KEYS": "a:key",
}
# Also what a field of that type would hold when it is set.
EVERY_SECRET = {name.upper(): f"secret {name}" for name in SECRETS[Process.OPERATOR]}


@pytest.mark.parametrize(
    "process", [each for each in Process if each not in (Process.MIGRATE, Process.SCALER)]
)
def test_a_process_knows_no_secret_of_others(process: Process) -> None:
    extra = {
        "TEMPORAL_TLS": "true",
        "TEMPORAL_TLS_CLIENT_CERT_DATA": "certificate",
        "STAFF_JWT_KEY": "k" * 40,
        "TENANT_BINDING_KEYS": "b" * 40,
    }
    if "oidc_client_secret" in SECRETS[process]:  # which is nothing without the other two
        extra |= {"OIDC_ISSUER": "https://id.example.com", "OIDC_CLIENT_ID": "academy"}
    if "temporal_tls_client_key_data" not in SECRETS[process]:
        extra.pop("TEMPORAL_TLS_CLIENT_CERT_DATA")
    known = read(Settings, process, NEEDED | EVERY_SECRET | extra)
    told = {
        name for name in SECRETS[Process.OPERATOR] if getattr(known, name) not in (None, "", SecretStr(""))
    }
    assert told == SECRETS[process]


def test_every_secret_of_the_settings_is_somebody_s() -> None:
    """A new one is given to nobody by itself."""
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret <= SECRETS[Process.OPERATOR] <= Settings.model_fields.keys()
    assert {name for names in SECRETS.values() for name in names} == SECRETS[Process.OPERATOR]
    assert SECRETS[Process.MIGRATE] == {"db_password"}
    assert "payload_keys" not in SECRETS[Process.SCALER]
    for process in (Process.VIDEO, Process.AI):  # they open files of strangers
        assert not SECRETS[process] & {"staff_jwt_key", "solapi_api_secret", "solapi_webhook_secret"}


def test_who_lacks_a_secret_is_told_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DB_PASSWORD", "PAYLOAD_KEYS", "R2_SECRET_ACCESS_KEY"):
        with pytest.raises(SystemExit):
            read_or_exit(Settings, Process.VIDEO, {**NEEDED, name: ""})
        told = capsys.readouterr().err
        assert name in told and not any(value in told for value in ("of-the-database", "of-the-store"))


def test_a_file_may_hold_a_setting(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("한글 pass word\n")
    (tmp_path / "key.pem").write_text("-----BEGIN\nkey\n-----END\n")
    environment = NEEDED | {
        "DB_PASSWORD": "",
        "DB_PASSWORD_FILE": str(tmp_path / "password"),
        "TEMPORAL_TLS": "true",
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(tmp_path / "key.pem"),
        "TEMPORAL_TLS_CLIENT_CERT_DATA_FILE": str(tmp_path / "key.pem"),
        "STAFF_JWT_KEY_FILE": str(tmp_path / "of the api, not there for others"),
    }
    found = read(Settings, Process.VIDEO, environment)
    assert found.db_password.get_secret_value() == "한글 pass word"
    key = found.temporal_tls_client_key_data
    assert (
        key and key.get_secret_value() == found.temporal_tls_client_cert_data == "-----BEGIN\nkey\n-----END"
    )


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_file_that_holds_nothing_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    environment = NEEDED | {"DB_PASSWORD": "", "DB_PASSWORD_FILE": str(tmp_path / "password")}
    with pytest.raises(Unreadable, match="DB_PASSWORD_FILE"):
        read(Settings, Process.OPS, environment)


def test_what_is_said_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    said = {"DB_PASSWORD_FILE": str(tmp_path / "a")}
    with pytest.raises(Unreadable, match="DB_PASSWORD_FILE and DB_PASSWORD say the same thing"):
        read(Settings, Process.OPS, NEEDED | said)


class Ssm:
    """What the Parameter Store answers, two pages a path."""

    def __init__(self, stored: dict[str, str]) -> None:
        self.stored = stored

    def get_paginator(self, _name: str) -> "Ssm":
        return self

    def paginate(self, *, Path: str, WithDecryption: bool) -> Iterator[dict[str, Any]]:
        assert WithDecryption
        for name, value in self.stored.items():
            if name.rpartition("/")[0] == Path.rstrip("/"):
                yield {"Parameters": [{"Name": name, "Value": value}]}


def test_parameters_come_after_files_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = {f"/academy/all/{name}": value for name, value in NEEDED.items()} | {
        "/academy/video/DB_USER": "academy_video",
        "/academy/video/DB_PASSWORD": "of the role",
        "/academy/api/STAFF_JWT_KEY": "k" * 40,
        "/academy/all/NOT_A_SETTING": "x",
    }
    monkeypatch.setattr("boto3.client", lambda *_, **__: Ssm(stored))
    (tmp_path / "payloads").write_text("a:file")
    environment = {
        "SETTINGS_SSM_PATHS": "/academy/all, /academy/video/",
        "PAYLOAD_KEYS_FILE": str(tmp_path / "payloads"),
        "DB_HOST": "near",
    }
    found = read(Settings, Process.VIDEO, environment)
    assert (found.db_host, found.db_user, found.redis_host) == ("near", "academy_video", "redis")
    assert found.db_password.get_secret_value() == "of the role"
    assert found.payload_keys.get_secret_value() == "a:file"
    assert found.staff_jwt_key is None


@pytest.mark.parametrize(
    ("part", "values", "named"),
    [
        (PostgresPart, {"db_password": ""}, "DB_PASSWORD"),
        (PostgresPart, {"db_password": "", "db_auth": "iam"}, "DB_SSLMODE"),
        (PostgresPart, {"db_sslmode": "verify-full"}, "DB_SSLROOTCERT"),
        (TemporalPart, {"temporal_api_key": "k"}, "TEMPORAL_TLS"),
        (TemporalPart, {"temporal_tls": True, "temporal_tls_client_cert_data": "c"}, "CLIENT_KEY"),
        (TemporalPart, {"temporal_tls": True, "temporal_tls_client_key_data": "k"}, "CLIENT_CERT"),
        (TemporalPart, {"temporal_tls_server_name": "n"}, "TEMPORAL_TLS=true"),
        (ObjectsPart, {"r2_secret_access_key": ""}, "R2_SECRET_ACCESS_KEY must be set"),
        (ObjectsPart, {"r2_credentials": "role"}, "uses no R2_ACCESS_KEY_ID"),
        (Settings, {"redis_cluster": True, "redis_db": 1}, "REDIS_DB"),
        (Settings, {"redis_tls_ca": __file__}, "REDIS_TLS=true"),
    ],
)
def test_half_a_way_is_none(part: type[settings_sources.Part], values: dict[str, Any], named: str) -> None:
    whole = {name.lower(): value for name, value in NEEDED.items()}
    part.model_validate(whole)
    with pytest.raises(ValidationError, match=named):
        part.model_validate(whole | values)


def test_a_role_needs_no_keys() -> None:
    found = ObjectsPart(r2_endpoint_url="https://s3.ap-northeast-2.amazonaws.com", r2_credentials="role")
    assert not found.r2_access_key_id


def test_a_process_reads_what_is_its_own() -> None:
    """Of a program itself: it ends with the name of the secret that it lacks, and of no other."""
    environment = {**NEEDED, "PAYLOAD_KEYS": "", "STAFF_JWT_KEY": "too short, and not of this process"}
    command = [sys.executable, "-m", "workers", "video"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "configuration: PAYLOAD_KEYS: Field required\n")


def test_migrations_need_the_database_alone() -> None:
    environment = {name: value for name, value in NEEDED.items() if name.startswith("DB_")}
    found = read(PostgresPart, Process.MIGRATE, environment)
    assert json.loads(found.model_dump_json())["db_host"] == "db"

"""Where a setting may stand: in the environment, in a file that `NAME_FILE` names, or in AWS's Parameter
Store.

The environment comes first, then files, then parameters. Secrets that a process has no use for are not looked
for at all (`SECRETS`).
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, ValidationError

P = TypeVar("P", bound="Part")


class Process(StrEnum):
    """`operator`: who types a command, and may know everything."""

    API = "api"
    BRIDGE = "bridge"
    VIDEO = "video"
    AI = "ai"
    MESSAGING = "messaging"
    OPS = "ops"
    MIGRATE = "migrate"
    SCALER = "scaler"
    OPERATOR = "operator"


_TEMPORAL = {"temporal_api_key", "temporal_tls_client_key_data"}
_JOBS = {"db_password", "payload_keys", "r2_access_key_id", "r2_secret_access_key", *_TEMPORAL}
_SOLAPI = {"solapi_api_key", "solapi_api_secret"}
_STAFF = {"staff_jwt_key", "oidc_client_secret"}
_API = {"redis_password", "solapi_webhook_secret", *_STAFF, *_SOLAPI}  # it previews templates

# Who may know what nobody else should. Compose, manifests and policies hand out the same: tests compare them.
SECRETS: Mapping[Process, frozenset[str]] = {
    Process.API: frozenset(_JOBS | _API),
    Process.BRIDGE: frozenset(_JOBS | {"tenant_binding_keys"}),
    Process.VIDEO: frozenset(_JOBS | {"redis_password"}),
    Process.AI: frozenset(_JOBS | {"redis_password", "model_api_key"}),
    Process.MESSAGING: frozenset(_JOBS | {"redis_password", "smtp_password"} | _SOLAPI),
    Process.OPS: frozenset(_JOBS),
    Process.MIGRATE: frozenset({"db_password"}),
    Process.SCALER: frozenset(_TEMPORAL),
    Process.OPERATOR: frozenset(_JOBS | _API | {"model_api_key", "smtp_password", "tenant_binding_keys"}),
}


class Part(BaseModel):
    """Some of the settings. A value that is wrong is not repeated in its error."""

    model_config = ConfigDict(hide_input_in_errors=True, frozen=True)


class Unreadable(Exception):
    """A place where settings should stand; the text names the variable."""


def read(part: type[P], process: Process, environment: Mapping[str, str]) -> P:
    """Raises ValidationError, and Unreadable."""
    names = part.model_fields.keys() - (SECRETS[Process.OPERATOR] - SECRETS[process])
    found = {
        **_parameters(environment, names),
        **dict(_files(environment, names)),
        **{name: environment[name.upper()] for name in names if environment.get(name.upper())},
    }
    return part.model_validate(found)


def read_or_exit(part: type[P], process: Process, environment: Mapping[str, str]) -> P:
    """As `read`, or end the process with one line for each variable that is wrong."""
    try:
        return read(part, process, environment)
    except Unreadable as error:
        _exit([str(error)])
    except ValidationError as error:
        _exit(
            f"{'_'.join(str(part) for part in problem['loc']).upper() or 'environment'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )


def _exit(problems: Iterable[str]) -> NoReturn:
    for each in problems:
        sys.stderr.write(f"configuration: {each}\n")
    raise SystemExit(2)


def _files(environment: Mapping[str, str], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`DB_PASSWORD_FILE=/run/secrets/db`; of `…_DATA` also `…_PATH`, as Temporal's command line has it."""
    for name in names:
        variable = name.upper()
        pointers = [f"{variable}_FILE", variable.removesuffix("_DATA") + "_PATH"]
        named = [each for each in pointers[: 2 if variable.endswith("_DATA") else 1] if environment.get(each)]
        if not named:
            continue
        said = [*named, *([variable] if environment.get(variable) else [])]
        if len(said) > 1:
            raise Unreadable(f"{' and '.join(said)} say the same thing; leave one of them")
        try:
            text = Path(environment[named[0]]).read_text().strip()
        except (OSError, ValueError) as error:
            raise Unreadable(f"{named[0]}: the file cannot be read: {type(error).__name__}") from None
        if not text:
            raise Unreadable(f"{named[0]}: the file is empty")
        yield name, text


def _parameters(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """`SETTINGS_SSM_PATHS=/academy/all,/academy/video`: parameters are called like variables; the later path
    wins."""
    paths = list(filter(None, map(str.strip, environment.get("SETTINGS_SSM_PATHS", "").split(","))))
    if not paths:
        return {}
    wanted, found = set(names), {}
    try:
        region = environment.get("AWS_REGION") or "ap-northeast-2"
        pages = boto3.client("ssm", region_name=region).get_paginator("get_parameters_by_path")
        for path in paths:
            for page in pages.paginate(Path=path, WithDecryption=True):
                for each in page["Parameters"]:
                    found[each["Name"].rpartition("/")[2].lower()] = each["Value"]
    except (BotoCoreError, ClientError) as error:
        raise Unreadable(f"SETTINGS_SSM_PATHS: {error}") from None
    return {name: value for name, value in found.items() if name in wanted and value}

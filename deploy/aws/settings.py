"""Put the settings of a file into AWS's Parameter Store, each secret where only its processes may read it.

From the project's folder: `PYTHONPATH=. python deploy/aws/settings.py --prefix academy production.env`

`DB_PASSWORD_VIDEO` becomes `/academy/video/DB_PASSWORD`, encrypted; what is no secret is `/academy/all/NAME`.
What is there already is replaced, what the file does not name stays. Values are never printed.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import boto3

from clients.settings import Settings
from clients.settings_sources import SECRETS, Process

SECRET = SECRETS[Process.OPERATOR]
READERS = [process for process in Process if process not in (Process.OPERATOR, Process.MIGRATE)]


class Parameter(NamedTuple):
    name: str
    value: str
    type: Literal["String", "SecureString"]


def lines(text: str) -> Iterator[tuple[str, str]]:
    """Raises ValueError, with the number of a line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ValueError(f"line {number} is not NAME=value")
        if value.strip():
            yield name.strip(), value.strip()


def parameters(prefix: str, text: str) -> Iterator[Parameter]:
    """Raises ValueError, with a name that is no setting."""
    passwords = {f"DB_PASSWORD_{process.upper()}": process for process in READERS}
    for name, value in lines(text):
        if name in passwords:
            yield Parameter(f"/{prefix}/{passwords[name]}/DB_PASSWORD", value, "SecureString")
        elif name == "DB_PASSWORD":
            continue  # of the owner, who migrates: no process may have it
        elif name.lower() in SECRET:
            for process in READERS:
                if name.lower() in SECRETS[process]:
                    yield Parameter(f"/{prefix}/{process}/{name}", value, "SecureString")
        elif name.lower() in Settings.model_fields:
            yield Parameter(f"/{prefix}/all/{name}", value, "String")
        else:
            raise ValueError(f"{name} is no setting")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--prefix", default="academy")
    given = parser.parse_args()
    try:
        found = list(parameters(given.prefix, given.file.read_text()))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{given.file}: {error}") from None
    ssm = boto3.client("ssm", region_name=os.environ.get("AWS_REGION", "ap-northeast-2"))
    for each in found:
        ssm.put_parameter(
            Name=each.name, Value=each.value, Type=each.type, Overwrite=True, Tier="Intelligent-Tiering"
        )
        sys.stdout.write(f"{each.name} ({each.type})\n")


if __name__ == "__main__":
    main()

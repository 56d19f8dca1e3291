"""The example of a client, run as somebody would: from a file to a lecture that plays."""

import asyncio
import os
import sys

import pytest

from devstack.app import App
from devstack.stack import ROOT
from tests.api.conftest import Caller
from tests.lab import CLIP

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_client_has_a_lecture_encoded(academy: Caller, app: App) -> None:
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, ROOT / "examples" / "client.py", CLIP),
        env=os.environ | {"API": app.api_url, "KEY": academy.key},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await client.communicate()
    status, path = said.decode().split()
    assert (client.returncode, status) == (0, "DONE") and path.endswith("master.m3u8")

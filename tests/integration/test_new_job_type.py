"""A new job type is one row: bridge, API, workflow and console know it by that."""

import asyncio
import json
import os
import sys

from devstack.app import App
from devstack.stack import ROOT
from tests.lab import Lab, fresh_id


async def test_a_job_type_is_one_row(lab: Lab, app: App) -> None:
    tenant = fresh_id()
    await lab.service_key(tenant)  # makes the tenant
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.toy_job_type", str(tenant)),
        cwd=ROOT,
        env=os.environ | lab.stack.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await made.communicate()
    assert json.loads(out) == {
        "refused": 422,
        "job": ["ai.toy", "DONE", {"letters": 4}],
        "queue": "ai.toy",
        "names": ["글자 세기", "Letter counting"],
    }

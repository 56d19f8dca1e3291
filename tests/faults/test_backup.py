"""Postgres is replaced by an older backup while everything works: one command finds and mends the rest."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.video import hls_root
from devstack.app import App
from devstack.stack import ROOT, Stack
from tests.integration.test_encode import encoding_began
from tests.integration.test_reconcile import closed
from tests.lab import PATIENCE, Lab, eventually, fresh_id
from tests.messages import FAST, PRICES, Mail, phones

WORKERS = ("bridge", "video", "messaging", "ops")


def back_up(stack: Stack) -> Path:
    folder = stack.data_dir / "postgres"
    stack.processes["postgres"].stop(PATIENCE)
    shutil.rmtree(folder / "backup", ignore_errors=True)
    subprocess.run(["cp", "-a", folder / "data", folder / "backup"], check=True)  # they are `nobody`'s
    stack.restart("postgres")
    return folder / "backup"


def restore(stack: Stack, backup: Path) -> None:
    stack.kill("postgres")
    shutil.rmtree(backup.with_name("data"))
    backup.rename(backup.with_name("data"))
    stack.restart("postgres")


def after_restore(stack: Stack, *options: str) -> list[dict[str, Any]]:
    """Its lines; the last one sums up."""
    argv = [sys.executable, "-m", "academy", "after-restore", "--json", "--days", "1", *options]
    done = subprocess.run(
        argv, cwd=ROOT, env=stack.python("x", "-").env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
async def test_everything_since_the_backup_is_known_again(own_lab: Lab, small_lecture: Path) -> None:
    lab, mail = own_lab, Mail(own_lab)
    tenant, (done, running, gone) = await mail.account(), (fresh_id() for _ in range(3))
    people = phones(3)
    await mail.keys.sealer(tenant)  # a key that the backup lacks is lost, and with it what it has encrypted
    backup = await asyncio.to_thread(back_up, lab.stack)
    with App(lab.stack, *WORKERS, **FAST):
        texts = await mail.send(tenant, people, key="texts")
        body = lab.send_encode(tenant, done)
        await lab.ended(tenant, 2)
        deletion = {"action": "delete_r2", "tenant_id": tenant, "video_id": gone, "created_at": 1764300000}
        deletion |= {"hls_prefix": hls_root(tenant, gone)}
        lab.send("video", deletion)
        before = await lab.ended(tenant, 3)
        for job in before:
            await closed(lab, job.workflow_id)
        shown, keys = await lab.video(tenant, done), lab.keys(hls_root(tenant, done))
        lab.send_encode(tenant, running, small_lecture)
        await encoding_began(lab, tenant, running)
        await asyncio.to_thread(restore, lab.stack, backup)
        found = await asyncio.to_thread(after_restore, lab.stack)
        assert {job.workflow_id for job in before} <= {each.get("what") for each in found}
        lab.send("video", body)  # a producer that plays its messages again
        await asyncio.to_thread(after_restore, lab.stack, "--repair")
        await lab.drained("video")

        async def ended() -> list[Any]:
            jobs = await lab.jobs(tenant)
            return jobs if len(jobs) == 4 and all(job.finished_at for job in jobs) else []

        after = {job.id: job for job in await eventually(ended)}
        for job in before:
            again = after[job.id]
            assert (again.state, again.error_code, again.result) == (job.state, job.error_code, job.result)
            assert again.external_id == job.external_id
        published = await lab.video(tenant, done)
        assert (published.status, published.hls_prefix) == ("READY", shown.hls_prefix)
        assert lab.keys(hls_root(tenant, done)) == keys
        assert (await lab.video(tenant, running)).status == "READY"
        assert (await lab.video(tenant, gone)).deleted_at
        await mail.delivered_once(texts, tenant, people, 3 * PRICES["price_sms"])
        (summary,) = [each for each in await asyncio.to_thread(after_restore, lab.stack) if "left" in each]
        assert "job without a row" not in summary["left"]
        assert "end unknown" not in summary["left"]

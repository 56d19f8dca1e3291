"""The canary search finds what is planted, in each place and each form, and nothing else."""

import base64
import json

import pytest
from sqlalchemy import insert
from temporalio.client import Client

from clients.database.models import JobEvent, Tenant
from tests import canary
from tests.integration.test_database import accept, job_request
from tests.lab import Lab, fresh_id

PHONE, NAME = "01073519264", "남궁카나리아"


@pytest.mark.parametrize(
    "form",
    [
        b"010-7351-9264",
        b"+82 10-7351-9264",
        b"tel:+821073519264,",
        NAME.encode(),
        f"x{NAME}".encode("utf-16-le"),
        NAME.encode("utf-16-be"),
        json.dumps({"name": NAME}).encode(),
        json.dumps(json.dumps({"name": NAME})).encode(),
        ("\\x" + f"to {PHONE}".encode().hex()).encode(),
        *(base64.b64encode(b"p" * before + PHONE.encode() + b"s" * 5) for before in range(4)),
        *(base64.b64encode(b"p" * before + f"{NAME}님".encode()) for before in range(4)),
        base64.urlsafe_b64encode(json.dumps({"to": "010-7351-9264", "name": NAME}).encode()),
    ],
)
def test_forms(form: bytes) -> None:
    assert any(each in form for each in canary.forms(PHONE) | canary.forms(NAME))


def test_no_form_is_so_short_that_chance_finds_it() -> None:
    assert min(map(len, canary.forms(PHONE) | canary.forms(NAME))) >= 10


async def test_finds_what_is_planted_in_each_place(lab: Lab) -> None:
    phone = f"010{fresh_id()}{fresh_id()}"  # eleven digits that stand nowhere yet
    assert canary.find(lab.stack, phone, NAME) == []
    log = lab.stack.data_dir / "logs" / "planted.log"
    log.write_text(f"sent to {phone[:3]}-{phone[3:7]}-{phone[7:]}\n")

    (job,) = await accept(lab, job_request(fresh_id()))
    async with lab.engine.begin() as connection:
        await connection.execute(insert(JobEvent).values(job_id=job.job_id, kind="x", detail={"to": phone}))
        await connection.execute(insert(Tenant).values(id=fresh_id(), code=f"+82{phone[1:]}"))

    stranger = await Client.connect(lab.settings.temporal_address)
    # Long, so that it does not lie in one piece in the file.
    text = "x" * 3000 + (NAME + "y" * 500) * 40
    handle = await stranger.start_workflow("nobody", text, id=f"planted-{fresh_id()}", task_queue="nobody")
    found = canary.find(lab.stack, phone, NAME)
    await handle.terminate()
    log.unlink()
    places = ["log planted.log", "postgres job_events.detail", "postgres tenants.code"]
    assert [each for each in found if not each.startswith("temporal ")] == places
    assert "temporal history_node.data" in found
    assert any(each.startswith("temporal temporal.db") for each in found)

"""A document of forty pages is in front, on all slots; somebody else has three rows."""

import asyncio
from pathlib import Path

import pytest

from activities.host import turns
from devstack.app import App, running
from tests.faults.test_ai import WANTED, answer_sheets, begun, children, units
from tests.integration.test_ai import Desk
from tests.lab import Lab, fresh_id

pytestmark = pytest.mark.slow

PAGES = 40


async def test_three_rows_do_not_wait_for_forty_pages(app: App, lab: Lab, tmp_path: Path) -> None:
    patient, hurried = fresh_id(), fresh_id()
    async with running(lab.stack, "ai", AI_SLOTS="2") as worker:
        desk = Desk(lab, None, tmp_path, worker)  # type: ignore[arg-type]
        key = desk.upload(patient, "booklet.pdf", answer_sheets(PAGES))
        long = desk.send(patient, "omr_grading", WANTED | {"file_key": key})
        await begun(lab, patient, 2)
        readers = {child.pid for child in children(worker)}
        rows = [[f"학생{n}", f"0101234567{n}", "가온초", "3"] for n in range(3)]
        payload = {
            "bucket": "academy-video",
            "tenant_id": hurried,
            "lecture_id": 7,
            "initial_password": "first-1",
        }
        key = desk.upload(hurried, "roster.xlsx", desk.roster(rows))
        job = await desk.ended(hurried, desk.send(hurried, "excel_parsing", payload | {"file_key": key}))
        read = await asyncio.to_thread(units, lab, patient)
        # What it has started stays for its next turn.
        stayed = readers & {child.pid for child in children(worker)}
        done = await desk.ended(patient, long)
    assert job.state == "DONE", job.result
    assert len(read) < PAGES, "the roster waited for the whole document"
    assert stayed or len(read) > PAGES - 10
    assert (done.state, done.result["summary"]["sheets"]) in (("DONE", PAGES), ("REVIEW_REQUIRED", PAGES))


def test_a_turn_is_worth_its_preparation() -> None:
    turn = turns.Turn()
    turn._begun -= 100  # fetching, decoding
    turn.prepared()
    turn.prepared()
    assert not turn.over
    turn._until -= 199
    assert not turn.over
    turn._until -= 2
    assert turn.over

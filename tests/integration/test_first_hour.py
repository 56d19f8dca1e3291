"""What a newcomer meets: an academy with something in each list, and Temporal's UI that reads payloads."""

from collections import Counter

import httpx
import pytest
from sqlalchemy import func, select

from clients.database.models import Job
from clients.database.uploads import Upload
from clients.database.viewing_models import LectureSession
from devstack.app import App
from devstack.front import front
from devstack.ports import LOOPBACK
from devstack.seed import seed
from devstack.stack import Stack
from tests.integration.test_codec_endpoint import TEXT, body, operator, sealed, texts
from tests.lab import Lab, fresh_id


async def test_the_ui_reads_payloads_without_a_sign_in(app: App, stack: Stack, lab: Lab) -> None:
    at = stack.ports
    ui = f"http://{LOOPBACK}:{at.temporal_ui}"

    def leave() -> str:
        return operator(lab.settings)["Authorization"].removeprefix("Bearer ")

    transport = httpx.ASGITransport(front(ui, app.api_url, leave, at.front))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{LOOPBACK}:{at.front}") as http:
        decoded = await http.post("/codec/decode", json=body(await sealed(lab, fresh_id())))
        assert texts(decoded) == [TEXT]
        assert "access-control-allow-origin" not in decoded.headers
        shown = await http.get("/api/v1/settings")
        assert shown.json()["Codec"]["Endpoint"] == f"http://{LOOPBACK}:{at.front}/codec", "the same origin"
        assert (await http.get("/", headers={"Host": "elsewhere.example"})).status_code == 421


@pytest.mark.slow
async def test_an_academy_is_filled_once(app: App, stack: Stack, lab: Lab) -> None:
    tenant = fresh_id()
    for _ in range(2):
        seed(stack, app, tenant)
    (stack.data_dir / "seed" / "done").unlink()
    seed(stack, app, tenant)  # as if the first time had been cut off
    async with lab.engine.connect() as connection:
        of_types = select(Job.job_type).where(Job.tenant_id == tenant)
        found = Counter((await connection.execute(of_types)).scalars())
        named = select(func.count()).where(Upload.tenant_id == tenant, Upload.sealed_name.is_not(None))
        files = (await connection.execute(named)).scalar_one()
        days = select(func.count()).where(LectureSession.tenant_id == tenant)
        sessions = (await connection.execute(days)).scalar_one()
    assert found == {"video.encode": 3, "ai.ocr": 1, "ai.excel_parsing": 2, "messages.send": 2}
    assert (files, sessions) == (5, 1)

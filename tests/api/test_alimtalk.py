"""Alimtalk templates: looked at, registered, inspected, and kept in step with the provider."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from activities.messaging.templates import TemplateActivities
from clients.database import alimtalk
from clients.database.messaging_models import MessageJob, MessagingAccount
from clients.database.models import Job
from clients.database.turns import Turns
from clients.solapi import Solapi
from clients.solapi_templates import TemplateCalls
from contracts.jobs import JobState
from devstack.solapi.client import Simulator
from tests.api.conftest import Caller
from tests.messages import PRICES

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTICE = {"name": "등원 알림", "content": "#{이름} 학생이 등원했습니다.", "category_code": "001001"}
BUTTON = {"type": "WL", "name": "보기", "link_mobile": "https://example.com/#{번호}"}
AT = "/alimtalk-templates"


@pytest.fixture(scope="module")
def simulator(academy: Caller) -> Simulator:
    return Simulator(academy.lab.settings.solapi_base_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(academy: Caller, stranger: Caller, simulator: Simulator) -> str:
    """Of the academy alone. The stranger shares the default one."""
    pf_id = f"PF{uuid4().hex}"
    simulator.template(
        f"OF{pf_id}", pf_id, "#{이름} 학생 결석", status="REJECTED", name="결석", parts=REMARKED
    )
    async with academy.lab.engine.begin() as connection:
        for tenant, own in ((academy.tenant, pf_id), (stranger.tenant, None)):
            row = {"tenant_id": tenant, "pf_id": own} | PRICES
            await connection.execute(insert(MessagingAccount).values(row))
    return pf_id


REMARKED = {
    "comments": [
        {"isAdmin": True, "memberId": "m", "content": "처음 의견", "dateCreated": "2026-11-01T00:00:00.000Z"},
        {
            "isAdmin": False,
            "memberId": "m",
            "content": "고쳤습니다",
            "dateCreated": "2026-11-03T00:00:00.000Z",
        },
        {
            "isAdmin": True,
            "memberId": "m",
            "content": "출처가 없음",
            "dateCreated": "2026-11-02T00:00:00.000Z",
        },
    ]
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def templates(academy: Caller) -> AsyncIterator[TemplateActivities]:
    settings = academy.lab.settings
    turns = Turns(academy.lab.engine, settings.solapi_api_key or "", settings.solapi_requests_per_second)
    solapi = Solapi(settings, turns)
    yield TemplateActivities(academy.lab.engine, TemplateCalls(solapi))
    await solapi.aclose()


async def test_one_is_registered_once_and_inspected(academy: Caller, channel: str) -> None:
    made = await academy.post(AT, NOTICE | {"buttons": [BUTTON]}, 201)
    assert (made["status"], made["variables"]) == ("PENDING", ["번호", "이름"])
    again = await academy.post(AT, NOTICE | {"buttons": [BUTTON]}, 201)
    assert again["template_id"] == made["template_id"], "the first answer may have been lost"
    path = f"{AT}/{made['template_id']}/inspection"
    assert (await academy.post(path, None, 200))["status"] == "INSPECTING"
    assert await academy.refused("POST", path, 422) == "provider_refused"
    assert (await academy.ask("DELETE", path)).json()["status"] == "PENDING"
    found = await academy.get(AT)
    assert found["own_channel"] and found["provider_answered"] and len(found["items"]) == 2
    absent, notice = found["items"]
    assert (notice["buttons"][0]["link_mobile"], notice["waiting_jobs"]) == (BUTTON["link_mobile"], 0)
    assert (absent["status"], len(absent["remarks"])) == ("REJECTED", 3)
    assert (
        "memberId" not in str(absent)
        and {"code": "001001", "name": "교육/학원"} in (await academy.get("/alimtalk-categories"))["items"]
    )
    page = (
        await academy.http.get("/console/messages/alimtalk", headers=await academy.cookie(academy.tenant))
    ).text
    assert "출처가 없음" in page and "처음 의견" not in page and "검수 요청" in page


async def test_nobody_touches_a_template_of_others(
    academy: Caller, stranger: Caller, channel: str, simulator: Simulator
) -> None:
    """All academies' are of one account at the provider."""
    shared = academy.lab.settings.solapi_kakao_pf_id or ""
    simulator.template("OFALL", shared, "모두")
    assert "OFALL" not in [each["template_id"] for each in (await academy.get(AT))["items"]]
    theirs = await stranger.get(AT)
    assert not theirs["own_channel"] and f"OF{channel}" not in str(theirs) and "OFALL" in str(theirs)
    for name in ("OFALL", f"OF{channel}"):
        assert await stranger.refused("POST", f"{AT}/{name}/inspection", 409) == "no_own_channel"
    assert await stranger.refused("POST", AT, 409, NOTICE) == "no_own_channel"
    simulator.template("OTHER", "PFOTHER", "남의 것", status="PENDING")
    for method in ("POST", "DELETE"):
        assert await academy.refused(method, f"{AT}/OTHER/inspection", 404) == "not_found"


async def test_what_the_provider_says_is_kept(
    academy: Caller, channel: str, simulator: Simulator, templates: TemplateActivities
) -> None:
    """What changed is noted once, and what jobs that wait use is told; another's channel is not looked at."""
    name = f"KEPT{channel}"
    simulator.template(name, channel, "#{이름}")
    job = str(uuid4())
    await academy.row(job, JobState.PENDING, job_type="messages.send")
    async with academy.lab.engine.begin() as connection:
        known = (await connection.execute(select(Job.id).where(Job.external_id == job))).scalar_one()
        row = {"job_id": known, "tenant_id": academy.tenant, "template_id": name}
        await connection.execute(insert(MessageJob).values(row))

    async def kept() -> dict[str, tuple[str, str | None]]:
        await templates.sync()
        async with academy.lab.engine.connect() as connection:
            rows = await alimtalk.known(connection, academy.tenant)
        return {each.template_id: (each.status, each.remark) for each in rows}

    found = await kept()
    assert (found[name], found[f"OF{channel}"]) == (("APPROVED", None), ("REJECTED", "출처가 없음"))
    async with academy.lab.engine.connect() as connection:
        (before,) = [
            each for each in await alimtalk.known(connection, academy.tenant) if each.template_id == name
        ]
    simulator.template(name, channel, "#{이름}", status="REJECTED")
    assert (await kept())[name] == ("REJECTED", None)
    async with academy.lab.engine.connect() as connection:
        (after,) = [
            each for each in await alimtalk.known(connection, academy.tenant) if each.template_id == name
        ]
    assert after.changed_at > before.changed_at
    (shown,) = [each for each in (await academy.get(AT))["items"] if each["template_id"] == name]
    assert (shown["status"], shown["waiting_jobs"]) == ("REJECTED", 1)
    cookie = await academy.cookie(academy.tenant)
    page = (await academy.http.get("/console/messages/alimtalk", headers=cookie)).text
    assert "아직 나가지 않은 문자 1건이 이 템플릿을 씁니다" in page
    async with academy.lab.engine.begin() as connection:
        gone = [await alimtalk.note(connection, academy.tenant, [], whole=True) for _ in range(2)]
    assert {each.after for each in gone[0]} == {"GONE"} and gone[1] == []

"""A teacher's morning and an operator's night on the console, from page to page."""

import json
from datetime import datetime
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from activities.indexing import IndexActivities
from clients.queues import Queue, QueueMessage
from rules.quiet_hours import KST
from tests.api.test_search import A_MINUTE
from tests.browser.conftest import Visit
from tests.browser.test_messages import send
from tests.browser.test_pages import PAGE
from tests.integration.test_keys import tenant_keys
from tests.lab import CLIP, eventually
from tests.messages import phones

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]
VIDEO = "document.getElementById('video')"


async def test_a_teachers_morning(visit: Visit, browser: Browser, tmp_path: Any) -> None:
    """A class of one, a lecture that is watched by a link, a sheet that is read and corrected, and a text."""
    page, (parent,) = visit.page, phones(1)
    await visit.open("/console/home")
    await expect(page.locator("h1")).to_have_text("오늘")
    await visit.open("/console/lectures")
    await page.set_input_files("#file", CLIP)
    await expect(page.locator("#grid .badge.good")).to_be_visible()
    video = int((await page.get_attribute("#grid h2 a", "href") or "").rpartition("/")[2])
    made = await visit.ask("POST", "/classes", title="고2 수학 A")
    student = await visit.ask("POST", "/students", name="김하나", parent_phone=parent)
    one = student["student_id"]
    await visit.ask("PUT", f"/classes/{made['class_id']}/students/{one}")
    today = f"{datetime.now(KST).date()}"
    session = await visit.ask("POST", "/sessions", **made, day=today)
    there = [{"student_id": one, "status": "ONLINE"}]
    await visit.ask("PUT", f"/sessions/{session['session_id']}/attendance", attendance=there)
    await visit.ask("PATCH", f"/videos/{video}", session_id=session["session_id"])

    await visit.open(f"/console/students/{one}")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.click("[data-link]")
    await expect(page.locator("#live")).to_contain_text("복사했습니다")
    assert await visit.grave() == []
    link = await page.evaluate("navigator.clipboard.readText()")
    await _watched(visit, browser, link, one)
    await visit.open(f"/console/students/{one}")
    await expect(page.locator("tr", has=page.locator("[data-link]"))).to_contain_text("100% 완료")

    await visit.open("/console/ocr")
    sheet = tmp_path / "exam.png"
    with Image.open(PAGE) as whole:
        whole.crop((0, 0, whole.width, 500)).save(sheet, dpi=(300, 300))
    await page.set_input_files("#file", sheet)
    await page.wait_for_url("**/console/ocr/*-*")
    await expect(page.locator("#text")).to_contain_text("일차방정식")
    await expect(page.locator("#correct button")).to_be_disabled()
    text = await page.input_value("#text")
    await page.fill("#text", text.replace("일차방정식", "사차방정식"))
    await page.click("#correct button")
    await expect(page.locator("#live")).to_have_text("고친 글을 저장했습니다.")
    await page.reload()
    await expect(page.locator("#text")).to_contain_text("사차방정식")
    await expect(page.locator("#text-of .badge")).to_have_text("고침")
    assert await visit.grave() == []
    lab = visit.lab
    await IndexActivities(lab.engine, lab.objects, tenant_keys(lab)).run_once(A_MINUTE)
    await visit.open("/console/search?q=사차방정식")
    await expect(page.locator(".found mark").first).to_have_text("사차방정식")

    await visit.open("/console/messages/new")
    await page.select_option("#whom", label="고2 수학 A (1)")
    await page.fill("#text", "#{이름} 학생이 오늘 강의를 보았습니다.")
    await expect(page.locator("#total")).to_have_text("20")
    await send(page)
    await page.wait_for_url("**/console/messages/*-*")
    await expect(page.locator("tbody .badge.good")).to_be_visible()
    await visit.open("/console/home")
    await expect(page.locator("#failed .count")).to_have_text("0")


async def _watched(visit: Visit, browser: Browser, link: str, student: int) -> None:
    """By the student, in a browser in which nobody has signed in, as far as the policy allows."""
    own = await browser.new_context(locale="ko-KR")
    page = await own.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    await page.goto(link)
    await expect(page.locator("#play")).to_be_enabled()
    await page.click("#play")
    await eventually(lambda: page.evaluate(f"{VIDEO}.currentTime > 1"), "it plays")
    assert (await page.text_content("#mark") or "").startswith(f"{student} "), (
        "an online class has a watermark"
    )
    await expect(page.locator("#rate option[value='2']")).to_be_disabled()
    await page.evaluate(
        "const seek = document.getElementById('seek'); seek.value = 4.5; "
        "seek.dispatchEvent(new Event('input'))"
    )
    assert await page.evaluate(f"{VIDEO}.currentTime") < 4.2, "not further than was watched, and a little"
    await page.click("#mute")
    assert await page.evaluate(f"{VIDEO}.muted")

    async def told() -> bool:
        found = await visit.ask("GET", f"/students/{student}/videos")
        return bool(found["items"][0]["progress"] > 0)

    await eventually(told, "the server knows")
    assert troubles == []
    await own.close()


async def test_an_operators_night(visit: Visit, credentials: None) -> None:
    """A queue that rests, an academy without credit, a dead letter, a key that leaked: each on its page."""
    page, lab, tenant = visit.page, visit.lab, visit.tenant
    await visit.open("/console/fleet")
    pause = page.get_by_role("button", name="멈추기 messaging", exact=True)
    resume = page.get_by_role("button", name="다시 시작 messaging", exact=True)
    await pause.click()
    assert "messaging 큐를 멈출까요" in await visit.question()
    await expect(resume).to_be_visible()
    assert await visit.grave() == []
    try:
        (phone,) = phones(1)
        to = [{"id": "1", "to": phone}]
        sent = await visit.ask("POST", "/messages/", draft={"text": "밤"}, recipients=to)
        assert sent["status"] == "accepted"

        async def waits() -> bool:
            row = page.locator("tr", has=resume).locator("[data-label='기다림']")
            return await row.text_content() != "0"

        await eventually(waits, "it waits on its queue", every=1)
    finally:
        await visit.open("/console/fleet")
        await resume.click()
    await expect(pause).to_be_visible()
    (job,) = await lab.ended(tenant)
    assert visit.mail.sent(job.id) == [phone]

    poor = await visit.mail.account(credit=0)
    body = {"tenant_id": poor, "to": phones(1)[0], "text": "잔액", "message_mode": "sms"}
    lab.send("messaging", body)
    await eventually(lambda: _waits_for_credit(visit, poor), "it waits for credit")
    await visit.open(f"/console/tenants?q={poor}")
    await expect(page.locator("tbody .badge")).to_have_text("얼마 남지 않음")
    await visit.follow(page.get_by_role("link", name=str(poor)))
    assert await visit.grave() == []
    await page.fill("#amount", "1000")
    await page.fill("#reference", "11월 29일 밤")
    await page.click("#add-credit button")
    assert "1,000원을 더할까요" in await visit.question()
    await expect(page.locator("#credit ~ table")).to_contain_text("11월 29일 밤")
    await lab.ended(poor)
    await page.fill("#daily_cap", "500")
    async with page.expect_navigation():
        await page.click("#set-account .main")
    await expect(page.locator("#daily_cap")).to_have_value("500")
    await page.click("text=키 만들기")
    key = await page.text_content("#made ~ pre") or ""
    bearer = {"Authorization": f"Bearer {key}"}
    look = f"{visit.url}/api/v1/jobs"
    assert (await page.request.get(look, headers=bearer)).status == 200
    await page.click("text=거두기")
    assert "이 키를 거둘까요" in await visit.question()
    await expect(page.locator("#keys ~ table")).to_have_count(0)

    async def revoked() -> bool:
        return (await page.request.get(look, headers=bearer)).status == 401

    await eventually(revoked, "the key is refused")
    queue = Queue(lab.settings, lab.settings.queue_names()["messaging"])
    letter = f"night-{tenant}"
    body["tenant_id"] = tenant
    queue.dead_letter(QueueMessage(letter, "", json.dumps(body)), "REFUSED_BY_DATABASE", "OperationalError")
    await visit.open("/console/letters")
    await page.locator("tr", has_text=letter).get_by_role("button").first.click()
    await expect(page.locator(".notice")).to_contain_text("1건을 큐로 되돌렸습니다")
    await lab.ended(tenant, 2)
    await visit.open("/console/audit")
    for done in (
        "작업 큐 멈추기·다시 시작",
        "충전",
        "문자 계정 바꾸기",
        "서비스 키 거두기",
        "처리 불가 요청 되돌리기",
    ):
        await expect(page.locator("tr", has_text=done).first).to_be_visible()


async def _waits_for_credit(visit: Visit, tenant: int) -> bool:
    query = f"TenantId = '{tenant}' AND Stage = 'waiting for credit'"
    return [each async for each in visit.lab.temporal.list_workflows(query)] != []

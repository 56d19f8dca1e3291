"""A class from its first student to an attendance list that two teachers write at once."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect
from sqlalchemy import insert

from clients.database.models import Video
from clients.database.seats import today
from tests.browser.conftest import LOST, Visit
from tests.lab import fresh_id
from tests.messages import phones

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def students(visit: Visit, *names: str) -> list[int]:
    made = []
    for name, phone in zip(names, phones(len(names)), strict=True):
        student = await visit.ask("POST", "/students", name=name, parent_phone=phone, school="새론고")
        made.append(int(student["student_id"]))
    return made


@pytest.mark.slow
async def test_a_class_is_made_filled_and_met(visit: Visit) -> None:
    page = visit.page
    kim, _, late = await students(visit, "김하나", "김두리", "박세나")
    await visit.open("/console/classes")
    await expect(page.locator(".empty")).to_be_visible()
    await page.click("[data-opens=new]")
    await page.fill("#class-title", "고2 수학 A")
    async with visit.lost_answers("/api/v1/classes"):
        await page.click("#new .main")
        await expect(page.locator("#new [data-wrong]")).to_contain_text("두 번 처리되지 않습니다")
    await page.click("#new .main")
    await page.wait_for_url("**/console/classes/*")
    group = urlsplit(page.url).path.removeprefix("/console")
    assert len((await visit.ask("GET", "/classes"))["items"]) == 1

    await page.click("[data-opens=add]")
    await page.fill("#find", "하나")
    await page.get_by_role("checkbox", name="김하나").check()
    await page.fill("#find", "두리")
    await expect(page.locator("#found li")).to_have_count(2)  # who was chosen stays
    await page.get_by_role("checkbox", name="김두리").check()
    assert await visit.grave() == []
    await page.click("#add .main")
    await expect(page.locator("tr[data-student]")).to_have_count(2)
    await page.click("[data-opens=rename]")
    await page.fill("#class-title", "고2 수학 (월)")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("고2 수학 (월)")

    await page.click("#new-session button")
    await page.wait_for_url("**/console/sessions/*")
    await expect(page.locator("h1 .badge")).to_have_text("오늘")
    session = urlsplit(page.url).path
    await visit.open("/console/home")
    await visit.follow(page.get_by_role("link", name="고2 수학"))
    assert urlsplit(page.url).path == session
    await page.click("[data-opens=move]")
    await page.fill("#day", str(today() - timedelta(days=1)))
    assert await visit.grave() == []
    async with page.expect_navigation():
        await page.click("#move .main")
    await expect(page.locator("h1 .badge")).to_have_count(0)

    await visit.follow(page.locator(".crumb a"))
    await page.click("#new-session button")  # one of today again
    await page.wait_for_url("**/console/sessions/*")
    await visit.ask("PUT", f"{group}/students/{late}")
    await visit.open(session)
    await page.get_by_role("button", name="넣기 박세나").click()
    await expect(page.locator("#attendance tr[data-student]")).to_have_count(3)
    await expect(page.locator("h1")).to_be_focused()
    await page.select_option("#who", label="박세나")
    await page.click("#take-out button")
    await expect(page.locator("#attendance tr[data-student]")).to_have_count(2)

    async with visit.lab.engine.begin() as connection:
        known = {"tenant_id": visit.tenant, "file_key": "", "status": "READY", "title": "1강 방정식"}
        await connection.execute(insert(Video).values(id=(video := fresh_id()), **known))
    await page.reload()
    await page.click("#bind button")
    await expect(page.get_by_role("link", name="1강 방정식")).to_be_visible()
    assert (await visit.ask("GET", f"/videos/{video}"))["session_id"]
    assert await visit.grave() == []
    await page.get_by_role("button", name="연결 해제").click()
    await expect(page.locator("#bind")).to_be_visible()

    await visit.follow(page.locator(".crumb a"))
    await visit.follow(page.get_by_role("link", name="문자 쓰기"))
    assert (await page.input_value("#whom")).startswith("class:")
    await page.go_back()
    await page.get_by_role("button", name="빼기 김하나").click()
    await expect(page.locator("tr[data-student]")).to_have_count(2)
    assert "오늘부터의 수업에서 빠지고" in visit.asked[-1] and "지난 수업과 출결은 남고" in visit.asked[-1]
    await visit.open(f"/console/students/{kim}")
    await expect(page.get_by_text("들어 있는 반이 없습니다")).to_be_visible()
    await page.go_back()
    async with page.expect_navigation(url="**/console/jobs/*"):
        await page.get_by_role("button", name="출석부 엑셀로").click()
    await expect(page.locator("#job .badge.good")).to_be_visible()


@pytest.mark.slow
async def test_attendance_is_set_by_keys_saved_once_and_written_over_nobodys(visit: Visit) -> None:
    page = visit.page
    one, two, three, _ = await students(visit, "가온", "나래", "다솔", "라온")
    group = (await visit.ask("POST", "/classes", title="고2 수학 A"))["class_id"]
    ids = [one, two, three]
    await visit.ask("POST", f"/classes/{group}/students", student_ids=ids)
    session = (await visit.ask("POST", "/sessions", class_id=group, day=str(today())))["session_id"]
    at = f"/sessions/{session}/attendance"

    async def noted() -> list[str | None]:
        return [each["status"] for each in (await visit.ask("GET", at))["items"]]

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort(LOST)

    await visit.open(f"/console/sessions/{session}")
    await expect(page.locator("#standing")).to_have_text("미입력 3")
    await expect(page.locator("#save")).to_be_disabled()
    await page.click("#rest")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("3")
    await page.keyboard.press("4")
    await page.keyboard.press("1")
    await expect(page.locator("#save")).to_be_focused()
    await expect(page.locator("#standing")).to_have_text("출석 1 · 결석 1 · 온라인 1 · 저장하지 않음 3")
    assert await visit.grave() == []
    await page.route(f"**{at}", lose)
    await page.keyboard.press("Enter")
    await expect(page.locator("#live")).to_contain_text("두 번 처리되지 않습니다")
    await page.unroute_all()
    await page.click("#save")
    await expect(page.locator("#live")).to_have_text("출결을 저장했습니다.")
    assert await noted() == ["ABSENT", "ONLINE", "PRESENT"]

    # Somebody else notes one of two pupils that are changed here.
    await page.get_by_role("radio", name="지각").nth(0).check(force=True)
    await page.get_by_role("radio", name="조퇴").nth(2).check(force=True)
    other = [{"student_id": one, "status": "EXCUSED"}]
    await visit.ask("PUT", at, attendance=other)
    await page.click("#save")
    await expect(page.locator("#live")).to_contain_text("그사이 다른 사람이 출결을 바꾸었습니다")
    visit.troubles.clear()  # the browser's own word of the 409
    note = page.locator("[data-changed]:not(:empty)")
    await expect(note).to_have_text("그사이 다른 사람이 저장함: 인정결석. 다시 저장하면 바뀝니다: 지각")
    assert await noted() == ["EXCUSED", "ONLINE", "PRESENT"]
    assert await visit.grave() == []
    await page.reload()
    assert visit.asked == ["beforeunload "], "what is not saved is not left without a word"
    await expect(page.locator("#standing")).to_have_text("출석 1 · 온라인 1 · 인정결석 1")

    # What is not saved stays while something else of the page is done.
    await page.get_by_role("radio", name="지각").nth(0).check(force=True)
    await page.select_option("#who", label="다솔")
    await page.click("#take-out button")
    await expect(page.locator("#live")).to_have_text("이 수업에서 뺐습니다.")
    await expect(page.locator("#standing")).to_contain_text("지각 1")
    await page.click("#save")
    await expect(page.locator("#live")).to_have_text("출결을 저장했습니다.")
    assert await noted() == ["LATE", "ONLINE", "PRESENT"]

    # Who leaves meanwhile is none to be noted; the others still are.
    for row in (0, 1):
        await page.get_by_role("radio", name="결석", exact=True).nth(row).check(force=True)
    await visit.ask("POST", f"/students/{two}/leave")
    await page.click("#save")
    await expect(page.locator(f"tr[data-student='{two}'] .badge")).to_have_text("퇴원")
    visit.troubles.clear()  # the browser's own word of the 422
    await page.click("#save")
    await expect(page.locator("#live")).to_have_text("출결을 저장했습니다.")
    assert await noted() == ["ABSENT", "ONLINE", "PRESENT"]


@pytest.mark.slow
async def test_an_academys_own_number_of_a_class_may_be_large(visit: Visit) -> None:
    """Larger than JavaScript's numbers hold exactly: what it would make of this one is another class."""
    page, large = visit.page, 1_152_921_504_606_846_977
    for number, title in ((large, "고2 수학 A"), (1_152_921_504_606_847_000, "고2 수학 B")):
        await visit.ask("PUT", f"/classes/{number}", title=title)
    (kim,) = await students(visit, "김하나")
    await visit.ask("PUT", f"/classes/{large}/students/{kim}")
    await visit.open(f"/console/classes/{large}?before=1")
    await expect(page.get_by_text("더 이전 수업은 없습니다")).to_be_visible()
    await page.click("#new-session button")
    await page.wait_for_url("**/console/sessions/*")
    await expect(page.locator("h1")).to_contain_text("고2 수학 A")
    await page.click("[data-opens=move]")
    await page.fill("#day", str(today() - timedelta(days=1)))
    async with page.expect_navigation():
        await page.click("#move .main")
    (session,) = (await visit.ask("GET", "/sessions"))["items"]
    assert (session["class_id"], session["day"]) == (large, str(today() - timedelta(days=1)))
    await visit.follow(page.locator(".crumb a"))
    export = await page.get_by_role("button", name="출석부 엑셀로").get_attribute("data-body")
    assert export and str(large) in export
    async with page.expect_navigation(url="**/console/jobs/*"):
        await page.get_by_role("button", name="출석부 엑셀로").click()
    await expect(page.locator("#job .badge.good")).to_be_visible()

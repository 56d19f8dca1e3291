"""A student is added, found, changed, written to and let go, with the keyboard where that is told apart."""

import pytest
from playwright.async_api import expect
from sqlalchemy import select

from clients.database.academy_models import Student
from tests.browser.conftest import Visit
from tests.messages import phones

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.slow
async def test_a_student_from_the_first_day_to_the_last(visit: Visit) -> None:
    page, (parent, own) = visit.page, phones(2)
    await visit.open("/console/students")
    await expect(page.locator(".empty")).to_be_visible()
    assert await visit.grave() == []
    await visit.open("/console/classes")
    await page.click("[data-opens=new]")
    await page.fill("#class-title", "고2 수학 A")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await visit.open("/console/students")
    await page.click("[data-opens=new-student]")
    await page.fill("#student-name", "김하나")
    await page.fill("#student-parent_phone", "02-123-4567")
    await page.select_option("#into-class", label="고2 수학 A")
    assert await visit.grave() == []
    await page.click("#new-student .main")
    await expect(page.locator("#student-parent_phone-wrong")).not_to_be_empty()
    await expect(page.locator("#student-parent_phone")).to_be_focused()
    visit.troubles.clear()  # the browser's own word of the 422
    await page.fill("#student-parent_phone", parent)
    async with visit.lost_answers("/api/v1/students"):
        await page.click("#new-student .main")
        await expect(page.locator("#new-student [data-wrong]")).to_contain_text("두 번 처리되지 않습니다")
    await page.click("#new-student .main")
    await page.wait_for_url("**/console/students/*")
    await expect(page.get_by_role("link", name="고2 수학 A")).to_be_visible()
    assert parent not in await page.content(), "numbers are masked, also in the form"
    async with visit.lab.engine.connect() as connection:
        mine = select(Student.id).where(Student.tenant_id == visit.tenant)
        assert len((await connection.execute(mine)).all()) == 1

    await page.click("[data-opens=edit-student]")
    await page.fill("#student-school", "새론고")
    await page.fill("#student-student_phone", own)
    assert await visit.grave() == []
    await page.click("#edit-student .main")
    await expect(page.locator("#student .facts")).to_contain_text("새론고")
    await expect(page.locator(".log")).to_contain_text("학생 정보 바꾸기")
    await expect(page.locator(".log")).to_contain_text("학생 전화번호, 학교")

    await visit.follow(page.get_by_role("link", name="문자 쓰기"))
    await page.fill("#text", "#{이름} 학생이 등원했습니다.")
    await expect(page.locator("#total")).to_have_text("20")
    await expect(page.locator(".bubble")).to_contain_text("김하나 학생이")
    await page.select_option("#whom", label="고2 수학 A (1)")
    await page.check("[name=to][value=student]")
    await expect(page.locator(".bubble")).to_contain_text(own[-4:])
    assert await visit.grave() == []
    await page.click("#send")
    await page.click("#sure-go")
    await page.click("#sure-go")
    await page.wait_for_url("**/console/messages/*-*")
    await expect(page.locator("tbody .badge.good")).to_be_visible()

    await visit.open("/console/students?q=새론")
    await visit.follow(page.get_by_role("link", name="김하나"))
    await expect(page.locator("#student")).to_contain_text(f"010-****-{own[-4:]}")
    await expect(page.get_by_role("row").filter(has_text="도착")).to_have_count(1)
    assert await visit.grave() == []
    await page.click("#student .danger")
    await expect(page.locator("#student h1 .badge")).to_have_text("퇴원")
    await expect(page.locator("#student h1")).to_be_focused()
    await page.click("[data-post$='/return']")
    await expect(page.locator("#student h1 .badge")).to_have_count(0)
    await expect(page.get_by_text("들어 있는 반이 없습니다")).to_be_visible()
    await visit.open("/console/students")
    await expect(page.locator("h1 .count")).to_have_text("1")

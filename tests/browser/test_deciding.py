"""What only a person can say is said in the console: doubtful marks on their pictures, and what the columns
of a roster are."""

from pathlib import Path
from random import Random

import pytest
import xlsxwriter
from PIL import Image
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.unit.omr import fill

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]


async def test_doubtful_marks_are_decided_by_keys_and_graded_again(visit: Visit, tmp_path: Path) -> None:
    page, file = visit.page, tmp_path / "exam.pdf"
    one = fill(10, Random(2), {"pen": 4, "double": 2})
    other = fill(10, Random(3), {"pen": 1})
    first, second = Image.fromarray(one.grey), Image.fromarray(other.grey)
    first.save(file, save_all=True, append_images=[second], resolution=200)
    doubtful = [number for number, habit in enumerate(one.habits, 1) if habit == "double"]
    assert len(doubtful) > 1
    await visit.open("/console/omr")
    await page.fill("#key", " ".join("1" for _ in range(10)))
    await page.set_input_files("#file", file)
    await page.wait_for_url("**/console/omr/*-*")
    fieldsets = page.locator("fieldset.decision")
    await expect(fieldsets).to_have_count(len(doubtful))
    await visit.until("document.querySelector('#grade .main').disabled")
    await visit.until("document.querySelector('.decision circle').getBoundingClientRect().width > 10")
    assert await visit.grave() == []
    await fieldsets.nth(0).locator("input").first.focus()
    await page.keyboard.press("1")
    await expect(fieldsets.nth(0).locator("circle.chosen")).to_have_count(1)
    await page.keyboard.press("Enter")
    for _ in doubtful[1:-1]:
        await page.keyboard.press("0")
        await page.keyboard.press("Enter")
    await fieldsets.nth(len(doubtful) - 1).locator("circle[data-choice='2']").click()
    await expect(page.locator("#decided li")).to_have_count(len(doubtful))
    await page.locator("#again summary").click()
    await page.fill("#other [name=page]", "2")
    await page.fill("#other [name=question]", "1")
    await page.fill("#other [name=choices]", "1")
    await page.keyboard.press("Enter")
    await expect(page.locator("#decided-count")).to_have_text(str(len(doubtful) + 1))
    before = page.url
    await page.click("#grade .main")
    await page.wait_for_url(lambda url: url != before and "/console/omr/" in url)
    await expect(page.locator(".tiles li").nth(2)).to_contain_text("0")
    await expect(page.locator("#decided li")).to_have_count(len(doubtful) + 1)
    await visit.until("document.querySelector('#grade .main').disabled")
    again = (await visit.lab.jobs(visit.tenant))[-1]
    assert (again.state, again.result["summary"]["corrected"]) == ("DONE", len(doubtful) + 1)
    await expect(page.get_by_role("link", name="학생마다 성적표")).to_be_visible()
    assert visit.lab.objects.get(again.result["files"]["reports.pdf"]).startswith(b"%PDF-")
    await page.locator("#decided button").first.click()
    await expect(page.locator("#grade .main")).to_be_enabled()


async def test_columns_that_nobody_knows_are_said_kept_and_offered(visit: Visit, tmp_path: Path) -> None:
    page = visit.page

    def roster(name: str, *people: list[str]) -> Path:
        with xlsxwriter.Workbook(tmp_path / name) as book:
            sheet = book.add_worksheet("2학년")
            for number, row in enumerate([["아이", "긴요한 번호", "학교"], *people]):
                sheet.write_row(number, 0, row)
        return tmp_path / name

    await visit.open("/console/rosters")
    await page.set_input_files("#file", roster("a.xlsx", ["김하나", "010-1234-5678", "한빛중"]))
    await page.wait_for_url("**/console/rosters/*-*")
    naming = page.locator(".naming")
    await expect(naming).to_contain_text("010-1234-5678")
    await expect(naming.locator("button.main")).to_be_disabled()
    name, phone = naming.locator("select").nth(0), naming.locator("select").nth(1)
    await name.select_option("parent_phone")
    await expect(naming.locator(".why").nth(0)).to_contain_text("그렇게 읽히지 않습니다")
    await phone.select_option("parent_phone")
    await expect(naming.locator(".why").nth(0)).to_contain_text("같은 뜻")
    await name.select_option("name")
    await expect(naming.locator("[data-against]")).to_be_empty()
    assert await visit.grave() == []
    before = page.url
    await naming.locator("button.main").click()
    await page.wait_for_url(lambda url: url != before)
    await expect(page.locator(".tiles .good b")).to_have_text("1")
    await page.fill("#password", "change-me")
    await page.click("#commit button")
    await expect(page.locator("h1")).to_contain_text("저장한 명단")
    await page.click("#undo button")
    await page.wait_for_url("**/console/jobs/*")
    await expect(page.locator(".badge.good").first).to_be_visible()
    assert visit.asked == ["confirm 이 명단 가져오기를 되돌릴까요?"]

    await visit.open("/console/rosters")
    await page.set_input_files("#file", roster("b.xlsx", ["이두리", "010-2345-6789", "새론고"]))
    await page.wait_for_url("**/console/rosters/*-*")
    await expect(naming.locator("select").nth(0)).to_have_value("")
    await naming.locator("[data-take]").click()
    await expect(naming.locator("select").nth(0)).to_have_value("name")
    await expect(naming.locator("select").nth(1)).to_have_value("parent_phone")
    await expect(naming.locator("button.main")).to_be_enabled()

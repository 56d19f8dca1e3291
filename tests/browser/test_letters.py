"""Dead letters are sent back, by one and all together."""

import json

import pytest
from playwright.async_api import expect

from clients.queues import Queue, QueueMessage
from tests.browser.conftest import Visit
from tests.lab import eventually
from tests.messages import phones

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_dead_letter_is_sent_back_and_done_once(visit: Visit, credentials: None) -> None:
    page, lab = visit.page, visit.lab
    (phone,) = phones(1)
    body = json.dumps({"tenant_id": visit.tenant, "to": phone, "text": "안녕하세요", "message_mode": "sms"})
    queue = Queue(lab.settings, lab.settings.queue_names()["messaging"])
    first = f"first-{visit.tenant}"
    for _ in range(2):  # the second time it is the same request: nothing more is sent
        queue.dead_letter(QueueMessage(first, "", body), "REFUSED_BY_DATABASE", "OperationalError")
        await visit.open("/console/letters")
        row = page.locator("tr", has_text=first)
        await expect(row).to_contain_text("데이터베이스가 받지 않았습니다.")
        assert phone not in await page.content()
        assert await visit.grave() == []
        await row.get_by_role("button").click()
        await expect(page.locator(".notice")).to_contain_text("1건을 큐로 되돌렸습니다")
        await lab.drained("messaging")
    (job,) = await lab.ended(visit.tenant)
    assert job.idempotency_key == f"sqs:{first}"
    assert visit.mail.sent(job.id) == [phone]


async def test_what_cannot_be_a_job_comes_back_and_is_not_sent_for_ever(
    visit: Visit, credentials: None
) -> None:
    queue = Queue(visit.lab.settings, visit.lab.settings.queue_names()["ai-lite"])
    mark = f"nonsense {visit.tenant}"
    visit.lab.send("ai-lite", mark)

    async def there() -> list[str]:
        return [each.id for each in queue.dead_letters(100) if each.body == mark]

    (first,) = await eventually(there, what="buried")
    (before,) = [each.first_at for each in queue.dead_letters(100) if each.body == mark]
    page = visit.page
    await visit.open("/console/letters")
    await page.get_by_role("button", name="모두 되돌리기 ai-lite").click()
    assert "모두 되돌릴까요" in await visit.question()
    row = page.locator("tr", has_text=first)
    await expect(row).to_contain_text("1번 되돌렸으나 다시 옴")  # the page has looked again by itself
    await expect(page.locator(".notice.bad")).to_contain_text("다시 왔습니다")
    await expect(page.locator(".notice.good")).to_have_count(0)
    assert await eventually(there, what="buried again") == [first]
    assert [each.first_at for each in queue.dead_letters(100) if each.body == mark] == [before]
    await row.get_by_text("버리기").first.click()
    await row.get_by_role("button", name="버리기").click()  # not without a reason
    await row.get_by_label("사유").select_option("mistaken")
    await row.get_by_role("button", name="버리기").click()
    await expect(page.locator(".notice")).to_contain_text("버렸습니다")
    assert await there() == [] and len(visit.asked) == 1
    await visit.open("/console/audit")
    await expect(page.locator("tr", has_text="처리 불가 요청 버리기").first).to_contain_text("잘못 보낸 요청")

"""Messages are written, looked at, sent once, and cancelled."""

from datetime import datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from clients.database.messaging_models import MessageJob, MessagingAccount
from rules.quiet_hours import KST
from tests.browser.conftest import Visit
from tests.mails import PostOffice, people, serve
from tests.messages import phones

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_message_is_counted_priced_and_sent(visit: Visit) -> None:
    page, (one, two) = visit.page, phones(2)
    await visit.open("/console/messages/new")
    await page.fill("#text", "똠 #{이름}")
    await expect(page.locator("#why-off")).to_contain_text("받는 사람")
    await page.fill("#people", f"{one}, 하늘\n02-123-4567, 바다")
    await expect(page.locator("#people-wrong")).to_contain_text("2번 줄: 받는 번호가")
    await expect(page.get_by_label("받는 사람")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#send")).to_be_disabled()
    await page.fill("#people", "\n".join(phones(30)))
    await page.fill("#text", "시험 😀")
    await expect(page.locator("#text-wrong span")).to_have_count(1)  # not thirty
    await expect(page.locator("#text-wrong")).to_contain_text("30명 모두")
    await page.fill("#text", "똠 #{이름}")
    await page.fill("#people", f"{one}, 하늘\n{two}, 가람누리")
    await expect(page.locator("#send")).to_be_enabled()
    await expect(page.locator("#bytes")).to_have_text("7")
    await expect(page.locator("#total")).to_have_text("40")
    await page.fill("#text", "가" * 46)
    await page.fill("#people", one)
    await expect(page.locator("#type")).to_have_text("LMS")
    await expect(page.locator("#total")).to_have_text("50")
    await expect(page.get_by_role("status").filter(has_text="1명")).to_contain_text(
        "2바이트 줄이면 SMS, 20원"
    )
    await page.fill("#at", "2020-01-01T09:00")
    await expect(page.locator("#at-wrong")).to_contain_text("지난 시각")
    await expect(page.locator("#send")).to_be_disabled()
    await page.fill("#at", "")
    await expect(page.locator("#send")).to_be_enabled()
    assert await visit.grave() == []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.click("#send")
    sure = page.get_by_role("dialog")
    await expect(sure).to_contain_text("1명")
    await expect(sure).to_contain_text("최대 50원")
    await expect(sure).to_contain_text("지금 바로")
    assert await visit.grave() == []
    await page.click("#sure-go")
    await expect(sure).to_contain_text("초 뒤에 보냅니다")
    await page.click("#sure-back")
    await expect(sure).to_be_hidden()
    assert not [each for each in asked if each.endswith("/api/v1/jobs")], "it was taken back"
    async with visit.lost_answers("/api/v1/jobs") as first:
        await send(page)
        await expect(page.locator("#live")).to_contain_text("두 번 처리되지 않습니다")
        await page.reload()
    await expect(page.locator("#unanswered")).to_be_visible()
    assert await page.input_value("#people") == one, "what was written is still there"
    async with page.expect_request("**/api/v1/jobs") as second:
        await send(page)
    assert first == [(await second.value).headers["idempotency-key"]]
    await page.wait_for_url("**/console/messages/*-*")
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    await expect(page.locator("tbody .badge.good")).to_be_visible()
    assert f"010-****-{one[-4:]}" in await page.inner_text("tbody")
    assert one not in await page.content()
    job = await visit.lab.only_job(visit.tenant)
    assert visit.mail.sent(job.id) == [one]
    assert await visit.grave() == []


@pytest.mark.slow
async def test_siblings_share_a_message_and_one_may_try_it_first(visit: Visit) -> None:
    page, (parent, mine) = visit.page, phones(2)
    await visit.open("/console/messages/new")
    await page.fill("#text", "#{이름} 학생")
    await page.fill("#people", f"{parent}, 하늘\n{parent}, 바다")
    await expect(page.locator("#total")).to_have_text("40")
    await page.check("#together")
    await expect(page.locator("#total")).to_have_text("20")
    await expect(page.locator("#about")).to_contain_text("2명 · 1통")
    await expect(page.locator("#bubbles")).to_contain_text("하늘, 바다 학생")
    assert await visit.grave() == []
    await page.fill("#mine", "02-123-4567")
    await page.click("#try")
    await expect(page.locator("#live")).to_contain_text("휴대전화 번호가 아닙니다")
    await page.fill("#mine", mine)
    await page.click("#try")
    await expect(page.locator("#live")).to_contain_text("시험 문자를 보냈습니다")
    job = await visit.lab.only_job(visit.tenant)
    await visit.mail.ended(job.id)
    assert [(each["to"], each["text"]) for each in visit.mail.simulator.ledger(job.id.hex)] == [
        (mine, "하늘 학생")
    ]


async def test_a_scheduled_message_is_listed_and_cancelled(visit: Visit) -> None:
    page = visit.page
    await visit.open("/console/messages/new")
    await page.fill("#text", "다음 달 안내")
    await page.fill("#people", phones(1)[0])
    day = datetime.now(KST).date() + timedelta(days=30)
    await page.fill("#at", f"{day}T09:00")
    await expect(page.locator("#send")).to_be_enabled()
    await send(page, now=False)
    await page.wait_for_url("**/console/messages/*-*")
    await expect(page.locator(".notice")).to_contain_text(f"{day} 09:00")
    await visit.open("/console/messages?show=scheduled")
    await visit.follow(page.locator("tbody a"))
    await page.click("text=취소")
    await expect(page.locator("h1 .badge")).to_have_text("취소됨")
    await visit.open("/console/messages?show=cancelled")
    await expect(page.locator("tbody tr")).to_have_count(1)


async def send(page: Page, *, now: bool = True) -> None:
    """Press, agree, and do not wait for the ten seconds; what is scheduled has none."""
    await page.click("#send:enabled")
    await page.click("#sure-go")
    if now:
        await page.click("#sure-go:has-text('지금')")


@pytest.mark.slow
async def test_a_stored_text_waits_for_a_second_person(visit: Visit) -> None:
    """Written and changed on its page, chosen when a message is written; nobody approves their own."""
    page, one = visit.page, phones(1)[0]
    async with visit.lab.engine.begin() as connection:
        terms = MessagingAccount.__table__.update().where(MessagingAccount.tenant_id == visit.tenant)
        await connection.execute(terms.values(approval_above=0))
    await visit.open("/console/messages/templates")
    await page.click("text=새 문구")
    await page.fill("#name", "등원 안내")
    await page.fill("#text", "#{이름} 등원")
    await page.click("#text-form button.main")
    await expect(page.locator("tbody tr")).to_contain_text("1판")
    await page.click("tbody >> text=고치기")
    await page.fill("#text", "#{이름} 학생 등원")
    await page.click("#text-form button.main")
    await expect(page.locator("tbody tr")).to_contain_text("2판")
    assert await visit.grave() == []
    await visit.follow(page.locator("tbody th a"))
    await expect(page.locator("tbody tr")).to_have_count(2)
    await visit.open("/console/messages/new")
    await page.select_option("#stored", "등원 안내")
    await expect(page.locator("#text")).to_have_value("#{이름} 학생 등원")
    await page.fill("#people", f"{one}, 하늘")
    await expect(page.locator("#about")).to_contain_text("다른 사람이 승인한 뒤에")
    await send(page)
    await page.wait_for_url("**/console/messages/*-*")
    await expect(page.locator("h1 .badge")).to_have_text("승인 대기")
    await expect(page.get_by_role("button", name="승인")).to_have_count(0)
    assert await visit.grave() == []
    job = await visit.lab.only_job(visit.tenant)
    async with visit.lab.engine.begin() as connection:
        mine = MessageJob.__table__.update().where(MessageJob.job_id == job.id)
        await connection.execute(mine.values(asked_by="staff lee"))
    await visit.open(f"/console/messages/{job.id}")
    await expect(page.locator(".bubble")).to_contain_text("학생 등원")
    assert await visit.grave() == []
    await page.click("button[data-post$='/approve/']")
    await expect(page.locator("tbody .badge.good")).to_be_visible()
    assert visit.mail.sent(job.id) == [one]


@pytest.mark.slow
async def test_an_e_mail_is_written_and_sent(visit: Visit) -> None:
    page = visit.page
    with PostOffice() as office:
        await serve(visit.mail, visit.tenant, office.settings())
        (parent,) = people(1)
        await visit.open("/console/messages/new")
        await page.check("input[value=email]")
        for gone in ("#sender", "#image", "#advertising", "#whom"):
            await expect(page.locator(gone)).to_be_hidden()
        await page.fill("#text", "#{이름} 학생의 성적표입니다. 🙂")
        await page.fill("#people", f"{parent.to}, 하늘")
        await expect(page.locator("#why-off")).to_contain_text("제목")
        await page.fill("#subject", "성적표")
        await page.fill("#people", "01012345678, 하늘")
        await expect(page.locator("#people-wrong")).to_contain_text("이메일 주소가")
        await page.fill("#people", f"{parent.to}, 하늘")
        await expect(page.locator("#type")).to_have_text("이메일")
        await expect(page.locator("#limit")).to_have_text("20,000")
        await expect(page.locator("#total")).to_have_text("0")
        await expect(page.locator("#send")).to_be_enabled()
        assert await visit.grave() == []
        await send(page)
        await page.wait_for_url("**/console/messages/*-*")
        await expect(page.locator("tbody .badge")).to_have_text("메일 서버로 보냄")
        assert "p***@d***.test" in await page.inner_text("tbody")
        assert parent.to not in await page.content()
        assert await visit.grave() == []
        await visit.open("/console/messages")
        await expect(page.locator("tbody")).to_contain_text("메일 서버로 보냄 1")
        assert [each.rcpt_tos for each in office.post.got] == [[parent.to]]

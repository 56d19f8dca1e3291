"""The reference of the API: its page runs what is ours, and nobody else is asked."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_the_reference_asks_nobody_else(visit: Visit) -> None:
    await visit.open("/docs")
    await expect(visit.page.get_by_text("/api/v1/jobs", exact=True).first).to_be_visible()
    assert await visit.page.locator("script").count() == 2

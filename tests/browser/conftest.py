"""A browser in front of the console: the system's Chromium on the real application."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Route,
    async_playwright,
    expect,
)

from devstack.app import App
from devstack.stack import Stack
from tests import signed_in
from tests.lab import PATIENCE, Lab, eventually
from tests.messages import FAST, Mail

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
GRAVE = ("serious", "critical")
LOST, RESET = "connectionreset", "net::ERR_CONNECTION_RESET"  # no answer came, and what a browser says of it
expect.set_options(timeout=PATIENCE * 1000)


@dataclass
class Visit:
    """One person's browser on the console. `troubles` are errors of its console and requests elsewhere,
    `asked` the dialogs of the browser itself, which are all agreed to."""

    page: Page
    url: str
    mail: Mail
    tenant: int
    origins: frozenset[str]
    troubles: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def lab(self) -> Lab:
        return self.mail.lab

    def listen(self) -> None:
        def requested(address: str) -> None:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" not in self.origins:
                self.troubles.append(f"asks {parts.netloc}")

        self.page.on("request", lambda request: requested(request.url))

        def said(message: ConsoleMessage) -> None:
            if message.type == "error" and RESET not in message.text:
                self.troubles.append(f"{message.text} {message.location}")

        async def before_leaving(dialog: Dialog) -> None:
            self.asked.append(f"{dialog.type} {dialog.message}")
            await dialog.accept()

        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", said)
        self.page.on("dialog", before_leaving)

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    @asynccontextmanager
    async def lost(self, addresses: re.Pattern[str]) -> AsyncIterator[None]:
        """What is asked of these never leaves the browser."""
        await self.page.route(addresses, lambda route: route.abort(LOST))
        try:
            yield
        finally:
            await self.page.unroute_all()

    @asynccontextmanager
    async def lost_answers(self, path: str) -> AsyncIterator[list[str]]:
        """Posts to `path` are done, and nobody hears of it; their keys."""
        keys: list[str] = []

        async def lose(route: Route) -> None:
            if route.request.method != "POST":
                return await route.continue_()
            await route.fetch()
            keys.append(route.request.headers["idempotency-key"])
            await route.abort(LOST)

        await self.page.route(f"**{path}", lose)
        try:
            yield keys
        finally:
            await self.page.unroute_all()

    async def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Of the API, as a system of the academy's."""
        key = await self.lab.service_key(self.tenant)
        async with httpx.AsyncClient(base_url=f"{self.url}/api/v1", timeout=PATIENCE) as http:
            http.headers["Authorization"] = f"Bearer {key}"
            answer = await http.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    async def follow(self, link: Locator) -> None:
        """Open what a link leads to; before a page's scripts have run, a click there does nothing."""
        async with self.page.expect_navigation():
            await link.click()

    async def question(self) -> str:
        """The last dialog, once it has come: a page may ask something of the server before."""

        async def come() -> bool:
            return bool(self.asked)

        await eventually(come, "a dialog")
        return self.asked.pop()

    async def until(self, script: str) -> None:
        """Wait until a script is true; `wait_for_function` would need the eval that the policy forbids."""
        await eventually(lambda: self.page.evaluate(script), script)

    async def grave(self, *rules: str) -> list[str]:
        """What axe finds of serious and critical violations, of all its rules or of some."""
        options: dict[str, object] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = list(rules)
        found = (await Axe().run(self.page, options=options)).response["violations"]
        return [
            f"{self.page.url}: {each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in GRAVE
        ]


@pytest.fixture(scope="package")
def more_workers(app: App, stack: Stack) -> Iterator[None]:
    """Messages and AI beside the session's application."""
    with App(stack, "messaging", "ai", **FAST):
        yield


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def mail(stack: Stack) -> AsyncIterator[Mail]:
    lab = await Lab.open(stack)
    yield Mail(lab)
    await lab.close()


@pytest.fixture
def credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that open queues themselves."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, stack.environment()[name])


@pytest_asyncio.fixture(loop_scope="package")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="ko-KR")
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="package")
async def visit(app: App, more_workers: None, mail: Mail, context: BrowserContext) -> AsyncIterator[Visit]:
    """Signed in as an operator of a new academy with an account for messages. At the end nothing may have
    gone wrong in the browser, and nobody else may have been asked."""
    settings = mail.lab.settings
    tenant = await mail.account()
    ((name, secret),) = (await signed_in.cookie(mail.lab, tenant, operator=True)).items()
    await context.add_cookies([{"name": name, "value": secret, "url": app.api_url, "sameSite": "Strict"}])
    visit = Visit(
        await context.new_page(),
        app.api_url,
        mail,
        tenant,
        frozenset({app.api_url, settings.r2_endpoint_url}),
    )
    visit.listen()
    yield visit
    assert not visit.troubles

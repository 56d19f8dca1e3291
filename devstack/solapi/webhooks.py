"""Reports pushed to the customer: in both shapes, and as badly as tests ask for."""

import asyncio
import hashlib
import random
import secrets
from collections import Counter, deque
from collections.abc import Iterable
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from devstack.solapi.answers import Json
from devstack.solapi.messages import Message

PARALLEL = 4
REORDER_SECONDS = 0.3


class WebhookSettings(BaseModel):
    """Where reports go, and what goes wrong on the way. No `url`: nowhere."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    secret: str = ""
    shape: Literal["flat", "wrapped"] = "wrapped"
    batch: int = Field(default=100, ge=1)
    repeats: int = Field(default=0, ge=0)  # further times that a batch is sent though it was answered
    reorder: bool = False
    drop: float = Field(default=0.0, ge=0, le=1)  # share of reports that are never pushed
    seed: int = 0
    retries: int = Field(default=3, ge=0)  # further tries of a batch that was not answered with 200
    retry_seconds: float = Field(default=0.2, ge=0)


class Webhooks:
    """Sends reports in the background; `counts` says how many were sent, failed and dropped."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.configure(settings)
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()

    def configure(self, settings: WebhookSettings) -> None:
        self.settings = settings
        self.counts: Counter[str] = Counter()
        self._dice = random.Random(settings.seed)

    def send(self, outbox: deque[Message]) -> None:
        """Take all reports out of the outbox and send them."""
        messages = [outbox.popleft() for _ in range(len(outbox))]
        if self.settings.url is None:
            return
        kept = [message for message in messages if self._dice.random() >= self.settings.drop]
        self.counts["dropped"] += len(messages) - len(kept)
        if self.settings.reorder:
            self._dice.shuffle(kept)
        for start in range(0, len(kept), self.settings.batch):
            part = kept[start : start + self.settings.batch]
            task = asyncio.create_task(self._deliver(self.settings.url, part, self.settings))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, url: str, messages: Iterable[Message], settings: WebhookSettings) -> None:
        events = [(secrets.token_hex(12), report(message)) for message in messages]
        headers = {
            "Content-Type": "application/json",
            "X-Solapi-Event-Name": "SINGLE-REPORT",
            "X-Solapi-Secret": hashlib.sha1(settings.secret.encode(), usedforsecurity=False).hexdigest(),
        }
        for _ in range(1 + settings.repeats):
            if settings.reorder:
                await asyncio.sleep(self._dice.uniform(0, REORDER_SECONDS))
            for tried in range(1 + settings.retries):
                if settings.shape == "flat":
                    body: list[Json] = [data for _, data in events]
                else:
                    body = [{"eventDataId": id, "data": data, "retryCount": tried} for id, data in events]
                if await self._post(url, to_json(body), headers):
                    self.counts["sent"] += len(events)
                    break
                await asyncio.sleep(settings.retry_seconds)
            else:
                self.counts["failed"] += len(events)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> bool:
        async with self._slots:
            try:
                answer = await self._client.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                return False
            return answer.status_code == 200


def report(message: Message) -> Json:
    """The final state of a message as Solapi pushes it."""
    view = message.view(message.reported)
    names = (
        "messageId",
        "groupId",
        "accountId",
        "type",
        "to",
        "from",
        "statusCode",
        "statusMessage",
        "replacement",
        "networkCode",
        "customFields",
        "dateProcessed",
        "dateReported",
        "dateReceived",
    )
    return {name: view[name] for name in names}

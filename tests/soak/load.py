"""What the academies ask for meanwhile: each request by a tenant of its own, in several copies."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import DBAPIError

from activities.ai.tasks.omr.sheet import sheet
from devstack.producer import ai_body, delete_body, encode_body, message_body
from tests.lab import CLIP, Lab, fresh_id
from tests.messages import Mail, phones

T = TypeVar("T")
STUDENTS = 3
ROSTER = "이름,학부모 연락처\n" + "".join(f"학생{chr(0xAC00 + n)},0102{n:07d}\n" for n in range(STUDENTS))
POISON = ("{", "[]", '{"video_id": "x"}', "null", '{"action": "delete_r2"}', '{"job_type": 7}')
TEXTS_A_SECOND = 0.5  # at the most; 0.25 are to be expected
WEIGHTS = {"text": 10, "lecture": 2, "deletion": 1, "sheet": 3, "roster": 3, "export": 3, "poison": 3}


@dataclass
class Request:
    """Everything that one tenant asks for; `jobs` of it are to be known."""

    kind: str
    tenant: int
    jobs: int = 1
    phone: str = ""
    file_key: str = ""


@dataclass
class Load:
    lab: Lab
    dice: random.Random
    offered: list[Request] = field(default_factory=list)
    poison: int = 0
    _accounts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mail = Mail(self.lab)
        self._sheet = sheet(30)

    async def open_accounts(self, seconds: float) -> None:
        """For all who will send texts, with their keys: what is younger than a backup is lost with it."""
        for _ in range(20 + int(seconds * TEXTS_A_SECOND)):
            self._accounts.append(await self.mail.account())
            await self.mail.keys.sealer(self._accounts[-1])

    async def run(self, seconds: float) -> None:
        """Producers do not wait for each other."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        async with asyncio.TaskGroup() as producers:
            while loop.time() < end:
                (kind,) = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
                copies = self.dice.choice((1, 1, 2, 5))
                lectures = [each for each in self.offered if each.kind == "lecture"]
                if kind == "poison":
                    queue, body = (
                        self.dice.choice(("video", "ai-basic", "messaging")),
                        self.dice.choice(POISON),
                    )
                    producers.create_task(self._poison(queue, body))
                elif kind == "deletion" and lectures:
                    producers.create_task(self._delete(self.dice.choice(lectures), copies))
                elif kind != "deletion":
                    producers.create_task(self._ask(kind, copies))
                await asyncio.sleep(self.dice.uniform(0.2, 3.0))

    async def _ask(self, kind: str, copies: int) -> None:
        """Everything that the request needs, and then its messages."""
        request = Request(kind, self._accounts.pop() if kind == "text" else fresh_id())
        tenant = request.tenant
        match kind:
            case "text":
                (request.phone,) = phones(1)
                key = uuid4().hex * 2
                body = message_body(tenant, request.phone, "내일은 휴원입니다.", business_idempotency_key=key)
                queue = "messaging"
            case "lecture":
                request.file_key = await in_thread(self.lab.producer.upload, tenant, CLIP)
                queue, body = "video", encode_body(tenant, tenant, request.file_key)
            case _:
                queue, body = "ai-basic", await self._document(kind, tenant)
        self.offered.append(request)
        await self._send(queue, body, copies)

    async def _document(self, kind: str, tenant: int) -> dict[str, Any]:
        payload: dict[str, Any] = {"tenant_id": str(tenant)}
        match kind:
            case "sheet":
                job_type, payload["question_count"] = "omr_grading", 30
                payload["file_key"] = await self._upload(tenant, "sheet.pdf", self._sheet)
            case "roster":
                job_type = "excel_parsing"
                payload |= {
                    "bucket": self.lab.settings.r2_bucket,
                    "lecture_id": 7,
                    "initial_password": "first-1",
                }
                payload["file_key"] = await self._upload(tenant, "roster.csv", ROSTER.encode())
            case _:
                job_type, payload["lecture_id"] = "attendance_excel_export", 7
        return ai_body(tenant, f"job-{uuid4().hex}", job_type, payload)

    async def _upload(self, tenant: int, name: str, data: bytes) -> str:
        key = f"tenants/{tenant}/uploads/{uuid4().hex}/{name}"
        await in_thread(self.lab.objects.put, key, data, "application/octet-stream")
        return key

    async def _delete(self, lecture: Request, copies: int) -> None:
        lecture.kind, lecture.jobs = "deleted lecture", 2
        await self._send("video", delete_body(lecture.tenant, lecture.tenant, lecture.file_key), copies)

    async def _poison(self, queue: str, body: str) -> None:
        await self._send(queue, body, 1)
        self.poison += 1

    async def _send(self, queue: str, body: dict[str, Any] | str, copies: int) -> None:
        for _ in range(copies):
            await in_thread(self.lab.send, queue, body)


async def persist(ask: Callable[[], Awaitable[T]]) -> T:
    """A producer's own patience: what a server does not take is offered again."""
    while True:
        try:
            return await ask()
        except (BotoCoreError, ClientError, DBAPIError, OSError):
            await asyncio.sleep(1)


async def in_thread(ask: Callable[..., T], *args: Any) -> T:
    return await persist(lambda: asyncio.to_thread(ask, *args))

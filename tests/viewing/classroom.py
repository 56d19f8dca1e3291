"""An academy with one lecture, a session it belongs to and students, as its backend and players see it."""

import secrets
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import func, literal, update
from sqlalchemy.dialects.postgresql import insert

from clients.database import students
from clients.database.academy_models import Attendance
from clients.database.models import Video
from clients.database.students import SealedStudent
from clients.database.viewing_models import LectureSession, SessionEnrolment, VideoProgress
from contracts.video import hls_root
from tests.lab import Lab, fresh_id

DURATION = 100.0
SESSION, LECTURE, DAY = 5, 6, date(2026, 5, 4)


@dataclass
class Classroom:
    lab: Lab
    http: httpx.AsyncClient
    tenant: int = field(default_factory=fresh_id)
    video: int = field(default_factory=fresh_id)
    key: str = ""

    @classmethod
    async def open(cls, lab: Lab, http: httpx.AsyncClient) -> "Classroom":
        own = cls(lab, http)
        own.key = await lab.service_key(own.tenant)
        await own.publish(own.video)
        return own

    @property
    def prefix(self) -> str:
        return f"{hls_root(self.tenant, self.video)}v-1/"

    async def publish(self, video: int, **values: Any) -> None:
        """A READY lecture of the session, without bytes."""
        row = {"status": "READY", "duration": DURATION, "hls_path": "x", "session_id": SESSION}
        row |= {"hls_prefix": f"{hls_root(self.tenant, video)}v-1/", "has_pictures": True} | values
        async with self.lab.engine.begin() as connection:
            session = {"tenant_id": self.tenant, "id": SESSION, "lecture_id": LECTURE, "day": DAY}
            await connection.execute(insert(LectureSession).values(session).on_conflict_do_nothing())
            made = insert(Video).values(tenant_id=self.tenant, id=video, file_key="", **row)
            await connection.execute(
                made.on_conflict_do_update(index_elements=[Video.tenant_id, Video.id], set_=row)
            )

    async def student(self, attendance: str | None = "ONLINE", enrolled: bool = True) -> int:
        """A new student; ONLINE is who watches under PROCTORED_CLASS."""
        sealed = SealedStudent(secrets.token_bytes(32), None, b"sealed")
        async with self.lab.engine.begin() as connection:
            await students.insert_students(connection, self.tenant, uuid4(), [sealed], None)
            ((student, *_),) = await students.known(connection, self.tenant, [sealed.identity_mac])
            who = {"tenant_id": self.tenant, "student_id": student}
            if enrolled:
                await connection.execute(insert(SessionEnrolment).values(who | {"session_id": SESSION}))
            if attendance:
                there = who | {"lecture_id": LECTURE, "day": DAY, "status": attendance}
                await connection.execute(insert(Attendance).values(there))
        return student

    async def been(self, student: int, seconds_ago: float, furthest: float = 0.0) -> None:
        """The student's last heartbeat was so long ago, so far into the lecture."""
        span = func.make_interval(0, 0, 0, 0, 0, 0, literal(seconds_ago))
        async with self.lab.engine.begin() as connection:
            await connection.execute(
                update(VideoProgress)
                .where(VideoProgress.tenant_id == self.tenant, VideoProgress.student_id == student)
                .values(beat_at=func.now() - span, furthest=furthest)
            )

    async def ask(
        self, step: str, bearer: str, body: dict[str, Any] | None = None, video: int | None = None
    ) -> httpx.Response:
        path = f"/api/v1/media/videos/{video or self.video}/playback/{step}/"
        return await self.http.post(path, json=body, headers={"Authorization": f"Bearer {bearer}"})

    async def start(self, student: int, video: int | None = None) -> "Player":
        answer = await self.ask("start", self.key, {"student_id": student}, video)
        assert answer.status_code == 200, answer.text
        return Player(self, student, answer.json(), video)

    async def refused(self, student: int, video: int | None = None) -> str:
        answer = await self.ask("start", self.key, {"student_id": student}, video)
        assert answer.status_code == 403, answer.text
        code: str = answer.json()["code"]
        return code


@dataclass
class Player:
    """What holds a token in a student's browser."""

    room: Classroom
    student: int
    started: dict[str, Any]
    video: int | None

    @property
    def token(self) -> str:
        token: str = self.started["token"]
        return token

    @property
    def link(self) -> str:
        """The links' common part."""
        master: str = self.started["urls"]["master"]
        return master.removesuffix("/master.m3u8")

    async def ask(self, step: str, **body: Any) -> httpx.Response:
        return await self.room.ask(step, self.token, body, self.video)

    async def beat(self, position: float, rate: float = 1.0) -> dict[str, Any]:
        answer = await self.ask("heartbeat", position=position, rate=rate)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> httpx.Response:
        return await self.room.http.get(f"{self.link}/{path}")

    async def dead(self) -> str:
        """The code with which every call and every link is refused."""
        codes = set()
        for step, body in (
            ("refresh", {}),
            ("heartbeat", {"position": 1}),
            ("events", {"events": []}),
            ("end", {}),
        ):
            answer = await self.ask(step, **body)
            assert answer.status_code == 401, (step, answer.text)
            codes.add(answer.json()["code"])
        for path in ("master.m3u8", "360p/s00000.m4s", "poster.jpg"):
            assert (await self.get(path)).status_code == 401
        (code,) = codes
        return code

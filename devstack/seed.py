"""What `make dev` shows a newcomer: an academy with lectures, documents, a class, students and messages, each
in another state.

All of it is asked for over the API, once for each folder of data, and under keys of its own: where that was
cut off it goes on, and nothing is done twice.
"""

import getpass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import xlsxwriter

from api.auth.staff import issue
from devstack import demo_messages
from devstack.app import App
from devstack.demo_ai import BAD, GOOD, HEADER
from devstack.stack import ROOT, Stack
from rules.quiet_hours import KST

SECONDS = 600  # how long the seed's own leave lasts
LECTURE = ROOT / "samples" / "big-buck-bunny.mp4"
EXAM = ROOT / "samples" / "exam-page.png"
SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CLASS = 1
PARENTS = 8
MORNING = 9  # when the planned notice goes out, Korean time


def seed(stack: Stack, app: App, tenant: int) -> None:
    """Ask for everything; nothing is waited for. Raises httpx.HTTPError."""
    folder = stack.data_dir / "seed"
    folder.mkdir(exist_ok=True)
    done = folder / "done"
    if done.exists():
        return
    with httpx.Client(base_url=f"{app.api_url}/api/v1", timeout=60) as http:
        http.headers["Authorization"] = f"Bearer {_leave(stack, None)}"
        _account(http, tenant)
        http.headers["Authorization"] = f"Bearer {_leave(stack, tenant)}"
        academy = _Academy(http)
        broken = folder / "broken.mp4"
        broken.write_bytes(LECTURE.read_bytes()[:20_000])
        academy.lecture(LECTURE, "3월 1주 (월) 일차방정식의 풀이.mp4")
        academy.lecture(LECTURE, "3월 2주 [복습] 연립방정식.mp4")
        academy.lecture(broken, "녹화 중 끊긴 파일.mp4")
        academy.document(EXAM, "2학기 중간고사 [3반].png")
        academy.class_of_today()
        roster = _roster(folder / "roster.xlsx")
        academy.roster(roster, "겨울 특강 명단 (2학년).xlsx")
        academy.messages()
    done.touch()


def _leave(stack: Stack, tenant: int | None) -> str:
    return issue(stack.settings(), getpass.getuser(), SECONDS, tenant, operator=tenant is None)


def _account(http: httpx.Client, tenant: int) -> None:
    path = f"/tenants/{tenant}"
    prices = {"price_sms": 20, "price_lms": 50, "price_mms": 120, "price_ata": 15}
    sender = {"sender": demo_messages.SENDER, "sender_numbers": [demo_messages.SENDER]}
    http.put(f"{path}/messaging-account/", json=prices | sender).raise_for_status()
    credit = {"amount": int(demo_messages.CREDIT), "reference": "seed"}
    http.post(f"{path}/credit/", json=credit).raise_for_status()


class _Academy:
    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def _post(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        answer = self._http.post(path, json=body, headers={"Idempotency-Key": f"seed-{key}"})
        made: dict[str, Any] = answer.raise_for_status().json()
        return made

    def _upload(self, file: Path, name: str, purpose: str, content_type: str) -> dict[str, Any]:
        size = file.stat().st_size
        about = {"filename": name, "size": size, "content_type": content_type, "purpose": purpose}
        begun = self._post("/uploads", about, f"upload-{name.encode().hex()[:60]}")
        put = httpx.put(
            begun["upload_url"], content=file.read_bytes(), headers={"Content-Type": content_type}
        )
        if put.status_code != httpx.codes.FORBIDDEN:  # it is there already, and its link is dead
            put.raise_for_status()
        self._http.post(f"/uploads/{begun['upload_id']}/complete").raise_for_status()
        return begun

    def lecture(self, file: Path, name: str) -> None:
        upload = self._upload(file, name, "video", "video/mp4")
        made = {"upload_id": upload["upload_id"], "title": name.removesuffix(".mp4")}
        video = self._post("/videos", made, f"video-{upload['upload_id']}")
        payload = {"video_id": video["video_id"], "file_key": video["file_key"]}
        self._job("video.encode", payload, f"encode-{video['video_id']}")

    def document(self, file: Path, name: str) -> None:
        upload = self._upload(file, name, "document", "image/png")
        payload = {"file_key": upload["file_key"], "mode": "auto"}
        self._job("ai.ocr", payload, f"ocr-{upload['upload_id']}")

    def class_of_today(self) -> None:
        """Whose students the roster brings, into today's session too."""
        self._http.put(f"/classes/{CLASS}", json={"title": "고2 수학 A"}).raise_for_status()
        day = datetime.now(KST).date().isoformat()
        self._post("/sessions", {"class_id": CLASS, "day": day}, f"session-{day}")

    def roster(self, file: Path, name: str) -> None:
        upload = self._upload(file, name, "table", SHEETS)
        payload = {"file_key": upload["file_key"], "initial_password": "change-me", "lecture_id": CLASS}
        self._job("ai.excel_parsing", payload | {"dry_run": True}, f"look-{upload['upload_id']}")
        self._job("ai.excel_parsing", payload, f"store-{upload['upload_id']}")

    def messages(self) -> None:
        people = [
            {"id": f"s{n}", "to": f"0104040{n:04}", "variables": {"이름": f"학생{n}"}} for n in range(PARENTS)
        ]
        draft = {"text": "[가나다학원] #{이름} 학생이 오늘 수업을 마쳤습니다."}
        self._post("/messages/", {"draft": draft, "recipients": people}, "sent")
        tomorrow = datetime.now(KST) + timedelta(days=1)
        morning = tomorrow.replace(hour=MORNING, minute=0, second=0, microsecond=0)
        draft = {"text": demo_messages.LMS, "send_at": morning.isoformat()}
        self._post("/messages/", {"draft": draft, "recipients": people}, "planned")

    def _job(self, job_type: str, payload: dict[str, Any], key: str) -> None:
        self._post("/jobs", {"job_type": job_type, "payload": payload}, key)


def _roster(file: Path) -> Path:
    """Made once: another time of making is in the file, and an upload is asked for with its size."""
    if file.exists():
        return file
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("2학년")
        for number, row in enumerate([HEADER, *GOOD, *BAD]):
            sheet.write_row(number, 0, row)
    return file

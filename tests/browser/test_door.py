"""Who comes in, from where, and what they may see."""

from pathlib import Path

import httpx
import pytest

from api.auth.sessions import COOKIE
from api.auth.staff import issue
from devstack.app import App
from tests import signed_in
from tests.lab import PATIENCE, Lab, fresh_id
from tests.messages import Mail

pytestmark = pytest.mark.asyncio(loop_scope="package")


def token(lab: Lab, tenant: int | None) -> str:
    return issue(lab.settings, "minji", 600, tenant)


def client(app: App, cookies: dict[str, str] | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=app.api_url, cookies=cookies, timeout=PATIENCE)


async def test_without_a_token_there_is_only_the_login_page(app: App, mail: Mail) -> None:
    async with client(app) as http:
        for path in ("/console/", "/console/lectures", "/console/letters", "/console/jobs/stream"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (
                303,
                "/console/login",
            )
        own = {"Origin": app.api_url}
        bad = await http.post("/console/login", data={"token": "x.y.z"}, headers=own)
        assert bad.status_code == 401 and COOKIE not in bad.cookies
        good = {"token": token(mail.lab, fresh_id()), "next": "https://elsewhere.example/console"}
        answer = await http.post("/console/login", data=good, headers=own)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/home")
        flags = answer.headers["set-cookie"].lower()
        assert "httponly" in flags and "samesite=strict" in flags


async def test_no_other_site_can_post(app: App, mail: Mail) -> None:
    staff = token(mail.lab, None)
    async with client(app, await signed_in.cookie(mail.lab, None, token=staff)) as http:
        for origin in (
            "https://elsewhere.example",
            "null",
            app.api_url.replace("127.0.0.1", "localhost"),
            None,
        ):
            headers = {"Origin": origin} if origin else {}
            for path, data in (
                ("/letters", {"queue": "video"}),
                ("/logout", {}),
                ("/login", {"token": staff}),
            ):
                answer = await http.post(f"/console{path}", data=data, headers=headers)
                assert answer.status_code == 403, (origin, path)


async def test_pages_are_of_ones_own_academy_and_of_operators(app: App, mail: Mail, tmp_path: Path) -> None:
    lab, theirs, text = mail.lab, fresh_id(), tmp_path / "lecture.mp4"
    text.write_text("no video\n")
    lab.send_encode(theirs, fresh_id(), text)
    (job,) = await lab.ended(theirs)
    async with client(app, await signed_in.cookie(lab, fresh_id())) as stranger:
        paths = [f"/jobs/{job.id}", f"/lectures/{job.subject.split(':')[1]}", "/letters", "/fleet"]
        for path in (*paths, f"/jobs/{job.id}/files/master.m3u8", f"/ocr/{job.id}", f"/messages/{job.id}"):
            answer = await stranger.get(f"/console{path}")
            assert answer.status_code == 404, path
        assert str(job.id) not in (await stranger.get("/console/?show=all")).text
    async with client(app, await signed_in.cookie(lab, theirs)) as staff:
        assert (await staff.get(f"/console/jobs/{job.id}")).status_code == 200
        assert (await staff.get("/console/letters")).status_code == 404
    async with client(app, await signed_in.cookie(lab, None)) as operator:
        for path in (f"/jobs/{job.id}", "/letters", "/fleet"):
            assert (await operator.get(f"/console{path}")).status_code == 200
        assert (await operator.get("/console/lectures")).status_code == 404


async def test_what_is_not_there_is_a_page_too(app: App, mail: Mail) -> None:
    async with client(app, await signed_in.cookie(mail.lab, fresh_id())) as http:
        for path in ("/nothing", "/jobs/x", "/lectures/0", "/ocr/x", "/?show=x"):
            answer = await http.get(f"/console{path}", headers={"Accept-Language": "en"})
            assert (answer.status_code, "There is nothing here" in answer.text) == (404, True), path


async def test_every_answer_carries_the_policy(app: App, mail: Mail) -> None:
    async with client(app, await signed_in.cookie(mail.lab, fresh_id())) as http:
        for path in ("/", "/login", "/nothing", "/static/console.js"):
            policy = (await http.get(f"/console{path}")).headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy

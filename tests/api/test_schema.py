"""Every operation of the OpenAPI document, called with what its schema allows and does not allow."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.meta import TestPhase
from schemathesis.generation.stateful.state_machine import StepOutput
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)
from schemathesis.specs.openapi.expressions import evaluate

import api.app
from api.auth.staff import issue
from devstack.app import App
from devstack.stack import Stack
from tests.api.conftest import SECONDS
from tests.api.test_tenants import MESSAGE, OPERATIONS, UPLOAD, fill
from tests.lab import PATIENCE, Lab
from tests.viewing.classroom import Classroom

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
# Boundaries of the union of all job types, and of messages: 1,600 of the document's 3,000. `make fuzz`: all.
UNIONS = ("/api/v1/jobs", "/api/v1/messages/")
EACH = 1 if settings.get_current_profile_name() == "fuzz" else 31
boundaries = count()
DRAWN = settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


@cache
def document() -> Any:
    schema = schemathesis.openapi.from_dict(api.app.app.openapi())
    schema.config.phases.coverage.unexpected_methods = {"trace"}  # one is enough: 405 is Starlette's
    return schema


@pytest.fixture(scope="module")
def credentials(app: App, stack: Stack) -> dict[str, Any]:
    """A tenant's service key, with a lecture and a student of it, and an operator's token."""

    async def make() -> dict[str, Any]:
        lab = await Lab.open(stack)
        async with httpx.AsyncClient() as http:
            room = await Classroom.open(lab, http)
            student = await room.student()
        await lab.close()
        key = f"tenants/{room.tenant}/ai/page.pdf"
        own = f"Bearer {room.key}"
        return {"own": own, "video_id": room.video, "student_id": student, "file_key": key}

    return asyncio.run(make()) | {
        "operator": f"Bearer {issue(stack.settings(), 'kim', SECONDS)}",
    }


@pytest.fixture(scope="module")
def session(app: App) -> Iterator[Any]:
    with requests.Session() as session:
        yield session


PLAYBACK = "/api/v1/media/videos/{video_id}/playback"
VIDEO = {"filename": "a.mp4", "size": 3, "content_type": "video/mp4", "purpose": "video"}
# What makes something, each with a body that always does. No worker takes the job up, so it stays open.
MADE: dict[str, Any] = {
    "post /api/v1/jobs": {"job_type": "ai.ocr", "payload": {"file_key": "{file_key}"}},
    "post /api/v1/uploads": VIDEO,
    "post /api/v1/messages/": MESSAGE,
    f"post {PLAYBACK}/start/": {"student_id": "{student_id}"},
}
# Parts are of an upload that is too large for one PUT.
INSTEAD = {("post /api/v1/uploads", "post /api/v1/uploads/{upload_id}/parts"): VIDEO | {"size": 2**27}}


def links() -> dict[tuple[str, str], dict[str, Any]]:
    """Every link of the document: the operation that makes something, and the one that can follow."""
    return {
        (f"{method} {path}", name): link
        for path, methods in api.app.app.openapi()["paths"].items()
        for method, operation in methods.items()
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        for name, link in answer.get("links", {}).items()
    }


@dataclass
class Walk:
    """Along links: what is followed is made anew each time, so that no link meets what another has ended."""

    url: str
    credentials: dict[str, Any]
    session: Any
    followed: set[tuple[str, str]] = field(default_factory=set)

    def make(self, name: str, follower: str) -> StepOutput:
        if name in MADE:
            template = INSTEAD.get((name, follower), MADE[name])
            made = self.call(name, {"video_id": self.credentials["video_id"]}, template)
        else:  # it is made by following another link
            ((source, _),) = [each for each in links() if each[1] == name]
            made = self.follow(source, name)
        if link := made.response.json().get("upload_url"):
            sent = self.session.put(link, data=b"xyz", headers={"Content-Type": VIDEO["content_type"]})
            assert sent.status_code == 200, sent.text
        return made

    def follow(self, source: str, name: str) -> StepOutput:
        link = links()[source, name]
        made = self.make(source, name)
        parameters, body = (
            evaluate(link.get(part), made, evaluate_nested=True) for part in ("parameters", "requestBody")
        )
        answer = self.call(name, parameters, body, link["operationId"])
        self.followed.add((source, name))
        return answer

    def call(self, name: str, parameters: dict[str, Any], body: Any, operation_id: str = "") -> StepOutput:
        method, _, path = name.partition(" ")
        operation = document()[path][method]
        if operation_id:  # a link's name and what it means are the same
            assert operation.definition.raw["operationId"] == operation_id
        case = operation.Case(
            path_parameters={name: value for name, value in parameters.items() if f"{{{name}}}" in path},
            **(
                {}
                if body is None
                else {"body": fill(body, self.credentials), "media_type": "application/json"}
            ),
        )
        response = case.call(
            base_url=self.url,
            headers={"Authorization": self.credentials["own"]},
            session=self.session,
            timeout=PATIENCE,
        )
        case.validate_response(response, checks=[check for check in CHECKS if check is not ignored_auth])
        assert 200 <= response.status_code < 300, (name, response.text)
        return StepOutput(response, case)


def test_every_link_of_the_document_leads_somewhere(
    app: App, credentials: dict[str, Any], session: Any
) -> None:
    walk = Walk(app.api_url, credentials, session)
    for source, name in links():
        walk.follow(source, name)
    assert walk.followed == set(links()) and len(walk.followed) > 10


# Paths that belong together, and what is sent where a random body would make nothing.
STORIES: dict[str, tuple[str, dict[str, Any]]] = {
    # But not into streams of events, which last as long as their job.
    "jobs": (r"^/api/v1/jobs(/\{job_id\}(/(?!events)\w+)?)?$", {}),
    "uploads": (r"^/api/v1/(uploads.*|videos)$", {"/api/v1/uploads": UPLOAD}),
    "messages": (r"^/api/v1/messages/.*$", {"/api/v1/messages/": MESSAGE}),
    "playback": (
        r"^/api/v1/media/videos/\{video_id\}/playback/.*$",
        {f"{PLAYBACK}/start/": {"student_id": "{student_id}"}},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_what_is_made_is_followed_by_the_links_of_the_document(
    story: str, app: App, credentials: dict[str, Any], session: Any
) -> None:
    """Walks that are drawn, the same ones in each run. That every link is followed is the test above."""
    pattern, bodies = STORIES[story]
    checks = [check for check in CHECKS if check is not ignored_auth]
    if story != "uploads":  # one that was thrown away is still shown, as aborted
        checks.append(use_after_free)

    class Machine(document().include(path_regex=pattern).as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            headers = {"Authorization": credentials["own"]}
            return {"base_url": app.api_url, "headers": headers, "session": session, "timeout": PATIENCE}

        def before_call(self, case: Any) -> None:
            if body := bodies.get(case.operation.path):
                case.body = fill(body, credentials)
            if case.operation.path == f"{PLAYBACK}/start/":
                case.path_parameters = {"video_id": credentials["video_id"]}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=checks)

    Machine.run(settings=settings(DRAWN, max_examples=12, stateful_step_count=6))


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_fault_and_answers_as_documented(
    name: str, app: App, credentials: dict[str, Any], session: Any
) -> None:
    """What it is called with is made here: `parametrize` of Schemathesis would have every process of a run
    make it for all operations when it collects the tests."""
    method, _, path = name.partition(" ")
    kind = OPERATIONS[name].kind
    token = credentials["operator" if kind == "operator" else "own"]

    def ask(case: Any) -> None:
        covering = case.meta.phase.name is TestPhase.COVERAGE
        if covering and path in UNIONS and next(boundaries) % EACH:
            return
        # That nobody comes in without a credential does not depend on what is sent: not asked at each
        # boundary.
        guarded = kind in ("own", "object") and not covering
        checks = [check for check in CHECKS if guarded or check is not ignored_auth]
        case.call_and_validate(
            base_url=app.api_url,
            headers={"Authorization": token},
            session=session,
            checks=checks,
            timeout=PATIENCE,
        )

    operation = document().include(path=path, method=method)
    ((_, run),) = [
        each.ok() for each in get_all_tests(schema=operation, test_func=ask, settings=DRAWN, given_kwargs={})
    ]
    run()

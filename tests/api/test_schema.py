"""Every operation of the OpenAPI document, called with what its schema allows and does not allow."""

import asyncio
from collections import Counter
from collections.abc import Iterator
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
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

import api.app
from api.auth.staff import issue
from devstack.app import App
from devstack.stack import Stack
from tests.api.conftest import SECONDS
from tests.api.test_tenants import MESSAGE, OPERATIONS, UPLOAD, fill
from tests.lab import Lab
from tests.viewing.classroom import Classroom

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
# Boundaries of the union of all job types, and of messages: 1,600 of the document's 3,000.
UNIONS, EACH = ("/api/v1/jobs", "/api/v1/messages/"), 11
RUNS = 6
boundaries = count()
DRAWN = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
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
        return {"own": f"Bearer {room.key}", "video_id": room.video, "student_id": student}

    return asyncio.run(make()) | {
        "operator": f"Bearer {issue(stack.settings(), 'kim', SECONDS)}",
    }


@pytest.fixture(scope="module")
def session(app: App) -> Iterator[Any]:
    with requests.Session() as session:
        yield session


# Paths that belong together, what is sent where a random body would make nothing, and what must be reached.
PLAYBACK = "/api/v1/media/videos/{video_id}/playback"
STORIES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    # But not into streams of events, which last as long as their job.
    "jobs": (
        r"^/api/v1/jobs(/\{job_id\}(/(?!events)\w+)?)?$",
        {},
        {"get /api/v1/jobs/{job_id}"},
    ),
    "uploads": (
        r"^/api/v1/(uploads.*|videos)$",
        {"/api/v1/uploads": UPLOAD},
        {"get /api/v1/uploads/{upload_id}", "delete /api/v1/uploads/{upload_id}"},
    ),
    "messages": (
        r"^/api/v1/messages/.*$",
        {"/api/v1/messages/": MESSAGE},
        {"get /api/v1/messages/{job_id}/", "post /api/v1/messages/{job_id}/cancel/"},
    ),
    "playback": (
        r"^/api/v1/media/videos/\{video_id\}/playback/.*$",
        {f"{PLAYBACK}/start/": {"student_id": "{student_id}"}},
        {f"post {PLAYBACK}/heartbeat/", f"post {PLAYBACK}/end/"},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_what_is_made_is_followed_by_the_links_of_the_document(
    story: str, app: App, credentials: dict[str, Any], session: Any
) -> None:
    followed: Counter[str] = Counter()
    pattern, bodies, reached = STORIES[story]
    checks = [check for check in CHECKS if check is not ignored_auth]
    if story != "uploads":  # one that was thrown away is still shown, as aborted
        checks.append(use_after_free)

    class Machine(document().include(path_regex=pattern).as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            headers = {"Authorization": credentials["own"]}
            return {"base_url": app.api_url, "headers": headers, "session": session, "timeout": 30}

        def before_call(self, case: Any) -> None:
            if body := bodies.get(case.operation.path):
                case.body = fill(body, credentials)
            if case.operation.path == f"{PLAYBACK}/start/":
                case.path_parameters = {"video_id": credentials["video_id"]}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=checks)
            if response.status_code < 300:
                followed[f"{case.operation.method} {case.operation.path}"] += 1

    for _ in range(RUNS):  # which link is followed next is drawn, so a few of these may miss one
        Machine.run(
            settings=settings(
                max_examples=4,
                stateful_step_count=6,
                derandomize=False,  # where CI is set, each run would draw the same
                deadline=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
        )
        if reached <= set(followed):
            return
    pytest.fail(f"not all that was made was found: {followed}")


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
            timeout=30,
        )

    operation = document().include(path=path, method=method)
    ((_, run),) = [
        each.ok() for each in get_all_tests(schema=operation, test_func=ask, settings=DRAWN, given_kwargs={})
    ]
    run()

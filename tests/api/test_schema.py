"""Every operation of the OpenAPI document, called with what its schema allows and does not allow."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

import api.app
from api.staff import issue
from devstack.app import App
from devstack.stack import Stack
from tests.api.conftest import SECONDS
from tests.api.test_tenants import OPERATIONS
from tests.lab import Lab, fresh_id

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
schema = schemathesis.openapi.from_dict(api.app.app.openapi())
schema.config.phases.coverage.enabled = False  # thousands of requests for the union of all job types


@pytest.fixture(scope="module")
def credentials(app: App, stack: Stack) -> dict[str, str]:
    """A tenant's service key, and an operator's token."""

    async def make() -> str:
        lab = await Lab.open(stack)
        key = await lab.service_key(fresh_id())
        await lab.close()
        return key

    return {
        "own": f"Bearer {asyncio.run(make())}",
        "operator": f"Bearer {issue(stack.settings(), 'kim', SECONDS)}",
    }


@pytest.fixture(scope="module")
def session(app: App) -> Iterator[Any]:
    with requests.Session() as session:
        yield session


def test_jobs_are_followed_by_the_links_of_the_document(
    app: App, credentials: dict[str, str], session: Any
) -> None:
    """But not into streams of events, which last as long as their job."""
    followed: Counter[str] = Counter()
    jobs = schema.include(path_regex=r"^/api/v1/jobs(/\{job_id\}(/(?!events)\w+)?)?$")

    class Machine(jobs.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            headers = {"Authorization": credentials["own"]}
            return {"base_url": app.api_url, "headers": headers, "session": session, "timeout": 30}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=[*CHECKS[:-1], use_after_free])
            if response.status_code < 300:
                followed[f"{case.operation.method} {case.operation.path}"] += 1

    Machine.run(
        settings=settings(
            max_examples=8,
            stateful_step_count=6,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
    )
    assert followed["get /api/v1/jobs/{job_id}"], f"no job that was made was found: {followed}"


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_no_fault_and_answers_as_documented(
    case: Any, app: App, credentials: dict[str, str], session: Any
) -> None:
    kind = OPERATIONS[f"{case.operation.method.upper()} {case.operation.path}"].kind
    token = credentials["operator" if kind == "operator" else "own"]
    checks = [check for check in CHECKS if kind in ("own", "object") or check is not ignored_auth]
    case.call_and_validate(
        base_url=app.api_url, headers={"Authorization": token}, session=session, checks=checks, timeout=30
    )

"""One API on the shared stack for all tests of this folder, and tenants to call it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio
from sqlalchemy import insert
from temporalio.service import RPCError

from api.auth.staff import issue
from clients.database.models import Job
from contracts.jobs import FINAL_STATES, JobState
from devstack.app import App
from devstack.stack import Stack
from tests import signed_in
from tests.lab import PATIENCE, Lab, eventually, fresh_id

SECONDS = 600


@dataclass
class Caller:
    """A tenant's system, with its service key."""

    lab: Lab
    http: httpx.AsyncClient
    tenant: int
    key: str

    async def ask(
        self, method: str, path: str, json: Any = None, key: str | None = None, **headers: str
    ) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {self.key}"}
        if key:
            bearer["Idempotency-Key"] = key
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, f"/api/v1{path}", json=json, headers=bearer | named)

    async def post(self, path: str, json: Any = None, status: int = 202, **more: Any) -> dict[str, Any]:
        answer = await self.ask("POST", path, json, **more)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, method: str, path: str, status: int, json: Any = None, **more: Any) -> str:
        """The code of a problem."""
        answer = await self.ask(method, path, json, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return str(answer.json()["code"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        async def look() -> dict[str, Any]:
            found = await self.get(f"/jobs/{job_id}")
            return found if found["status"] in FINAL_STATES else {}

        return await eventually(look, f"{job_id} ended")

    def staff(self, tenant: int | None) -> dict[str, str]:
        """Headers of somebody with a token: a tenant's, or an operator's."""
        return {"Authorization": f"Bearer {issue(self.lab.settings, 'kim', SECONDS, tenant)}"}

    async def cookie(self, tenant: int | None) -> dict[str, str]:
        return await signed_in.header(self.lab, tenant)

    async def row(self, external_id: str, state: JobState = JobState.DONE, **values: Any) -> None:
        """A job in the database alone, final unless it is said otherwise."""
        from uuid import uuid4

        from sqlalchemy import func

        known: dict[str, Any] = {
            "id": uuid4(),
            "tenant_id": self.tenant,
            "job_type": "ai.ocr",
            "idempotency_key": external_id,
            "external_id": external_id,
            "workflow_id": f"none-{uuid4()}",
            "payload_sha256": "",
            "sealed_payload": b"",
            "source": "test",
            "state": state,
        }
        if state in FINAL_STATES:
            known["finished_at"] = func.now()
        async with self.lab.engine.begin() as connection:
            await connection.execute(insert(Job).values(known | values))

    async def end(self, job_id: str) -> None:
        """Leave no workflow behind."""
        found = await self.get(f"/jobs/{job_id}")
        try:
            await self.lab.temporal.get_workflow_handle(found["workflow_id"]).terminate()
        except RPCError:
            return


async def caller(lab: Lab, http: httpx.AsyncClient) -> Caller:
    tenant = fresh_id()
    return Caller(lab, http, tenant, await lab.service_key(tenant))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def academy(app: App, stack: Stack) -> AsyncIterator[Caller]:
    """A fresh tenant for each file of tests."""
    lab = await Lab.open(stack)
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http:
        yield await caller(lab, http)
    await lab.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger(academy: Caller) -> Caller:
    """Another tenant."""
    return await caller(academy.lab, academy.http)

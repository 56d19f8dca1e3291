"""Servers that answer, and oddly: healthy messages wait until they are mended, and none is buried."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError

from clients.vault import Vault
from contracts.errors import START_REFUSED
from devstack.app import App
from intake.errors import NamespaceDamaged, StartRefused
from tests.faults.test_bridge import MESSAGES, every_job_has_its_workflow, send_many
from tests.integration.test_database import job_request
from tests.lab import PATIENCE, Lab, PatientSubmitter, eventually, fresh_id, log_lines

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
HANG_UP = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


@asynccontextmanager
async def without_attribute(lab: Lab, name: str) -> AsyncIterator[None]:
    """As after a restore of Temporal's database, or by a slip of an operator's."""
    at, namespace = lab.temporal.operator_service, lab.temporal.namespace
    await at.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace=namespace, search_attributes=[name])
    )
    try:
        await eventually(lambda: takes_starts(lab, name, False), "the server has noticed")
        yield
    finally:
        added = {name: KEYWORD}
        await at.add_search_attributes(
            AddSearchAttributesRequest(namespace=namespace, search_attributes=added)
        )
        await eventually(lambda: takes_starts(lab, name, True), "the server has noticed")


async def takes_starts(lab: Lab, name: str, expected: bool) -> bool:
    attributes = TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_keyword(name), "x")])
    try:
        await lab.temporal.start_workflow(
            "look",
            id="look",
            task_queue="nobody",
            search_attributes=attributes,
            execution_timeout=timedelta(seconds=1),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    except RPCError:
        return not expected
    return expected


@pytest.fixture
def submitter(own_lab: Lab) -> PatientSubmitter:
    vault = Vault(own_lab.settings.payload_keys.get_secret_value())
    return PatientSubmitter(own_lab.engine, own_lab.temporal, vault)


async def test_a_damaged_namespace_stops_the_bridge_and_ends_no_job(own_lab: Lab) -> None:
    lab, tenant = own_lab, fresh_id()
    with App(lab.stack, "bridge") as app:
        bridge = app.processes["bridge"]
        async with without_attribute(lab, "JobType"):
            send_many(lab, tenant)
            assert await asyncio.to_thread(bridge.wait, PATIENCE) == 1
            assert {job.state for job in await lab.jobs(tenant)} <= {"PENDING"}
    with App(lab.stack, "bridge", "ops"):
        await every_job_has_its_workflow(lab, tenant, MESSAGES)
        await lab.drained("ai-lite")
    assert lab.dead_letters("ai-lite") == []


@pytest.mark.parametrize("size", [3_000_000, 5_000_000], ids=["for the server", "for gRPC"])
async def test_a_request_that_is_too_large_is_refused(
    own_lab: Lab, submitter: PatientSubmitter, size: int
) -> None:
    with pytest.raises(StartRefused):
        await submitter.submit(job_request(fresh_id(), file_key="x" * size))


async def test_a_damaged_namespace_is_not_the_requests_fault(
    own_lab: Lab, submitter: PatientSubmitter
) -> None:
    other = job_request(fresh_id())
    async with without_attribute(own_lab, "TenantId"):
        with pytest.raises(NamespaceDamaged):
            await submitter.submit(other)
    await submitter.submit(other)


async def test_a_job_that_was_refused_is_opened_again_when_its_letter_is_sent_back(
    own_lab: Lab, submitter: PatientSubmitter
) -> None:
    tenant = fresh_id()
    request = job_request(tenant)
    (accepted,) = await submitter.accept([request])
    await submitter.refuse(accepted)
    (job,) = await own_lab.jobs(tenant)
    assert (job.error_code, job.sealed_payload) == (START_REFUSED, None)
    again = await submitter.submit(request)
    (job,) = await own_lab.jobs(tenant)
    assert (again.status, job.state, job.error_code, job.finished_at) == ("OPEN", "PENDING", None, None)
    assert submitter.payload(job.id, job.sealed_payload) == request.payload
    (started,) = await eventually(lambda: own_lab.workflows(tenant))
    assert started.id == job.workflow_id


@pytest.mark.parametrize(
    ("damage", "mend"),
    [
        ("ALTER TABLE jobs RENAME source TO origin", "ALTER TABLE jobs RENAME origin TO source"),
        (  # the stack's user is a superuser, whom no REVOKE binds
            "CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE insufficient_privilege; END'; "
            "CREATE TRIGGER deny BEFORE INSERT ON jobs EXECUTE FUNCTION deny()",
            "DROP TRIGGER deny ON jobs; DROP FUNCTION deny()",
        ),
        ("ALTER TABLE job_events RENAME TO events", "ALTER TABLE events RENAME TO job_events"),
        (  # as one that was made a standby, or whose disk is full
            f"ALTER DATABASE academy SET default_transaction_read_only = on; {HANG_UP}",
            "SET TRANSACTION READ WRITE; "
            f"ALTER DATABASE academy RESET default_transaction_read_only; {HANG_UP}",
        ),
    ],
    ids=["a column", "a right", "a table", "leave to write"],
)
async def test_what_the_database_lacks_is_waited_for(own_lab: Lab, damage: str, mend: str) -> None:
    lab, tenant = own_lab, fresh_id()
    with App(lab.stack, "bridge", "ops", SQS_HOLD_SECONDS="5"):
        async with lab.engine.begin() as connection:
            await connection.exec_driver_sql(damage)
        try:
            send_many(lab, tenant)

            async def waits() -> bool:
                return any(
                    line["message"].startswith("breaker open") for line in log_lines(lab.stack, "bridge")
                )

            await eventually(waits)
            assert await asyncio.to_thread(lab.depth, "ai-lite") == MESSAGES
        finally:
            async with lab.engine.begin() as connection:
                await connection.exec_driver_sql(mend)
        await every_job_has_its_workflow(lab, tenant, MESSAGES)
        await lab.drained("ai-lite")
    assert lab.dead_letters("ai-lite") == []


@pytest.mark.slow
async def test_a_temporal_that_has_lost_everything_gets_its_schedules_and_jobs_back(
    own_lab: Lab, submitter: PatientSubmitter
) -> None:
    lab, tenant = own_lab, fresh_id()
    request = job_request(tenant)
    with App(lab.stack, "ops"):
        await submitter.submit(request)
        await asyncio.to_thread(lab.stack.kill, "temporal")
        for file in (lab.stack.data_dir / "temporal").glob("*.db*"):
            file.unlink()
        await asyncio.to_thread(lab.stack.restart, "temporal")
        async with lab.engine.begin() as connection:
            await connection.exec_driver_sql(
                "UPDATE jobs SET accepted_at = accepted_at - interval '5 minutes'"
            )

        async def started() -> list[str]:
            with suppress(RPCError):  # the schedule is not there yet
                await lab.temporal.get_schedule_handle("reconcile").trigger()
            return [each.id for each in await lab.workflows(tenant)]

        (job,) = await lab.jobs(tenant)
        assert await eventually(started, every=1) == [job.workflow_id]

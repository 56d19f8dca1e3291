"""The same job is carried out twice: reset, started again beside itself, delivered again by the queue."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHandle

from clients.database import messaging_groups
from clients.database.messaging_models import MessageGroup
from clients.solapi import Solapi
from contracts.jobs import JobOutcome, JobRef, JobRequest
from contracts.messaging import GroupRef, MessagesInput
from devstack.app import App, running
from devstack.producer import message_body
from rules.messaging.groups import GroupState
from tests.integration.conftest import no_turn
from tests.integration.test_credits import written
from tests.lab import eventually, fresh_id
from tests.messages import Mail, draft, phones, request

PEOPLE = 3
SPENT = PEOPLE * 20


async def reset(mail: Mail, handle: WorkflowHandle[Any, JobOutcome]) -> WorkflowHandle[Any, JobOutcome]:
    """Back to the first workflow task: everything is done again. Gives the new run."""
    history = await handle.fetch_history()
    first = next(
        event.event_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    answer = await mail.lab.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=mail.lab.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="test",
            workflow_task_finish_event_id=first,
            request_id=str(fresh_id()),
        )
    )
    return mail.lab.temporal.get_workflow_handle(handle.id, run_id=answer.run_id, result_type=JobOutcome)


async def second(
    mail: Mail, job_request: JobRequest, name: str = "second"
) -> WorkflowHandle[Any, JobOutcome]:
    """Another execution for the same job, under another workflow id."""
    ref = JobRef(job_id=job_request.job_id, job_type=job_request.job_type, tenant_id=job_request.tenant_id)
    return await mail.lab.temporal.start_workflow(
        "messages",
        MessagesInput(job=ref),
        id=f"messages-t{job_request.tenant_id}-{name}-{job_request.job_id.hex[:12]}",
        task_queue="messaging",
        result_type=JobOutcome,
    )


async def tried(handle: WorkflowHandle[Any, JobOutcome]) -> bool:
    """A try of its activity has failed."""
    pending = (await handle.describe()).raw_description.pending_activities
    return any(each.HasField("last_failure") for each in pending)


async def held_at(mail: Mail, step: str, kind: str = "429") -> tuple[JobRequest, int, list[str], int]:
    """A job that cannot get past a step: the request, the tenant, its phones, and the fault that holds it."""
    tenant, wanted = await mail.account(), phones(PEOPLE)
    job_request = request(tenant, draft(), wanted)
    fault = mail.simulator.fault(step, kind, match=job_request.job_id.hex)
    await mail.submitter.submit(job_request)

    async def held() -> bool:
        return mail.simulator.fired(fault) > 0

    await eventually(held, what=f"held at {step}")
    return job_request, tenant, wanted, fault


@pytest.mark.parametrize(
    ("step", "kind"), [("create", "429"), ("add", "429"), ("send", "429"), ("send", "503_after")]
)
async def test_reset_to_the_first_task(workers: App, mail: Mail, step: str, kind: str) -> None:
    job_request, tenant, wanted, fault = await held_at(mail, step, kind)
    handle = mail.handle(tenant, job_request.job_id)
    if step == "send":
        assert (await mail.group(tenant, job_request.job_id)) is not None
    again = await reset(mail, handle)
    mail.simulator.remove_fault(fault)
    assert (await again.result()).state == "DONE"
    await mail.delivered_once(job_request.job_id, tenant, wanted, SPENT)


async def test_reset_of_a_job_that_is_over(workers: App, mail: Mail) -> None:
    tenant, wanted = await mail.account(), phones(PEOPLE)
    job = await mail.send(tenant, wanted)
    await mail.ended(job)
    await mail.handle(tenant, job).result()
    again = await reset(mail, mail.handle(tenant, job))
    outcome = await again.result()
    assert (outcome.state, outcome.result["delivered"]) == ("DONE", PEOPLE)
    await mail.delivered_once(job, tenant, wanted, SPENT)


@pytest.mark.slow
async def test_reset_while_reports_are_awaited_and_the_sender_has_gone(workers: App, mail: Mail) -> None:
    """What `prepare` would refuse today was sent yesterday: the job does not end as refused."""
    tenant, wanted = await mail.account(), phones(PEOPLE, "40405")  # reports come late
    job = await mail.send(tenant, wanted)
    await mail.in_state(tenant, job, "SENT")
    async with mail.lab.engine.begin() as connection:
        await connection.exec_driver_sql(f"DELETE FROM sender_numbers WHERE tenant_id = {tenant}")
    again = await reset(mail, mail.handle(tenant, job))
    assert (await again.result()).state == "DONE"
    await mail.delivered_once(job, tenant, wanted, SPENT)


@pytest.mark.parametrize("step", ["create", pytest.param("add", marks=pytest.mark.slow), "send"])
async def test_a_second_start_beside_one_that_is_held(workers: App, mail: Mail, step: str) -> None:
    job_request, tenant, wanted, fault = await held_at(mail, step)
    others = [await second(mail, job_request, f"again{n}") for n in range(2)]
    for other in others:
        await eventually(lambda other=other: tried(other), "they meet the same fault")  # type: ignore[misc]
    mail.simulator.remove_fault(fault)
    ends = await asyncio.gather(
        *(each.result() for each in (mail.handle(tenant, job_request.job_id), *others))
    )
    assert {each.state for each in ends} == {"DONE"}
    await mail.delivered_once(job_request.job_id, tenant, wanted, SPENT)


@pytest.mark.parametrize(
    "by", ["a try of its own", pytest.param("another execution", marks=pytest.mark.slow)]
)
async def test_a_committed_group_that_was_found_dead_is_built_anew(workers: App, mail: Mail, by: str) -> None:
    """What it found is in the database, and its answer was lost, or another has a new group already."""
    job_request, tenant, wanted, fault = await held_at(mail, "send")
    group_id = (await mail.group(tenant, job_request.job_id)).group_id
    provider = Solapi(mail.lab.settings, no_turn)
    await provider.delete(group_id)
    await provider.aclose()
    values = {"state": "OPEN"} | ({} if by == "a try of its own" else {"group_id": f"{group_id}-next"})
    async with mail.lab.engine.begin() as connection:
        where = MessageGroup.group_id == group_id
        await connection.execute(update(MessageGroup).where(where).values(**values))
    mail.simulator.remove_fault(fault)
    assert (await mail.ended(job_request.job_id)).state == "DONE"
    await mail.delivered_once(job_request.job_id, tenant, wanted, SPENT)


async def test_a_group_that_was_replaced_goes_nowhere(mail: Mail) -> None:
    tenant = await mail.account()
    chunk = await written(mail, tenant, PEOPLE)
    first, second = (GroupRef(**chunk.model_dump(), group_id=name) for name in ("first", "second"))
    async with mail.lab.engine.begin() as connection:
        for group in (first, second):
            assert await messaging_groups.replace_group(connection, chunk, group.group_id)
        assert not await messaging_groups.move(connection, first, GroupState.OPEN, GroupState.ADDING)
        assert await messaging_groups.move(connection, second, GroupState.OPEN, GroupState.ADDING)


@pytest.mark.slow
async def test_four_executions_of_each_of_four_jobs_at_once(workers: App, mail: Mail) -> None:
    async def case() -> None:
        tenant, wanted = await mail.account(), phones(PEOPLE)
        job_request = request(tenant, draft(), wanted)
        await mail.submitter.accept([job_request])
        handles = await asyncio.gather(*(second(mail, job_request, f"run{n}") for n in range(4)))
        assert {(await each.result()).state for each in handles} == {"DONE"}
        await mail.delivered_once(job_request.job_id, tenant, wanted, SPENT)

    await asyncio.gather(*(case() for _ in range(4)))


async def test_a_queue_message_delivered_five_times(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(), phones(1)
    body = message_body(tenant, phone, "안녕하세요.", business_idempotency_key="ab" * 32)
    async with running(mail.lab.stack, "bridge"):
        for _ in range(5):
            mail.lab.send("messaging", body)
        await mail.lab.drained("messaging")
    (job,) = await mail.lab.ended(tenant)
    await mail.delivered_once(job.id, tenant, [phone], 20)


async def adopted(mail: Mail, tenant: int, phone: str) -> tuple[UUID, WorkflowHandle[Any, JobOutcome]]:
    """A job as release 0.1 left it: accepted from the queue, and waiting in a `job.run`."""
    payload = {"to": phone, "text": "안녕하세요.", "message_mode": "sms"}
    old = request(tenant, draft(), [phone]).model_copy(
        update={"job_type": "messaging.send", "payload": payload}
    )
    await mail.submitter.accept([old])
    handle: WorkflowHandle[Any, JobOutcome] = await mail.lab.temporal.start_workflow(
        "job.run",
        JobRef(job_id=old.job_id, job_type="messaging.send", tenant_id=tenant),
        id=f"messaging.send-t{tenant}-{old.job_id.hex[:12]}",
        task_queue="ops",
        result_type=JobOutcome,
    )
    return old.job_id, handle


async def test_a_job_that_waited_since_release_0_1(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(), phones(1)
    job, handle = await adopted(mail, tenant, phone)
    assert (await handle.result()).state == "DONE"
    await mail.delivered_once(job, tenant, [phone], 20)


async def test_an_old_job_that_is_refused_ends(workers: App, mail: Mail) -> None:
    tenant = await mail.account()
    job, handle = await adopted(mail, tenant, "02-123-4567")
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("REJECTED_BAD_INPUT", "PHONE_NOT_MOBILE")

    async def over() -> bool:
        return (await handle.describe()).close_time is not None

    await eventually(over, "job.run has ended too")


async def test_an_old_job_that_is_cancelled_sends_nothing(workers: App, mail: Mail) -> None:
    tenant, (phone,) = await mail.account(0), phones(1)
    job, handle = await adopted(mail, tenant, phone)
    await mail.stage(tenant, job, "waiting for credit")
    await handle.cancel()
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("CANCELLED", "CANCELLED")
    assert (mail.sent(job), await mail.states(job)) == ([], [("CANCELLED", "CANCELLED")])

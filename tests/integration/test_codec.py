"""What Temporal keeps of a messaging workflow, on the real server: nothing that can be read."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

from clients import temporal
from clients.codec import ENCRYPTED, TenantCodec, tenant_of
from clients.database.engine import create_engine
from clients.keys import KeyDestroyed, TenantKeys
from clients.vault import Vault, VaultError
from contracts.errors import START_REFUSED
from contracts.queues import parse
from devstack.app import running
from intake.reconcile import Reconciler
from tests.integration.marked_story import ROUTES, Child, Note, Parent, act, fail, marked
from tests.lab import Lab, PatientSubmitter, eventually, fresh_id

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"text"')


@asynccontextmanager
async def working(lab: Lab) -> AsyncIterator[str]:
    """A worker in another process, as far as keys and connections go. Gives the task queue."""
    engine = create_engine(lab.settings, "codec-test")
    client = await temporal.connect(lab.settings, engine)
    queue = f"codec-{uuid4().hex}"
    async with Worker(client, task_queue=queue, workflows=[Parent, Child], activities=[act, fail]):
        yield queue
    await engine.dispose()


def workflow_id(tenant: int) -> str:
    return f"messages-t{tenant}-{uuid4().hex[:12]}"


async def begin(client: Client, queue: str, id: str, succeed: bool = True) -> WorkflowHandle[Any, Note]:
    return await client.start_workflow(
        Parent.run,
        args=[Note(text=marked("input")), succeed],
        id=id,
        task_queue=queue,
        memo={"memo": marked("memo")},
        static_summary=marked("summary"),
        static_details=marked("details"),
    )


async def events(client: Client, id: str) -> list[HistoryEvent]:
    return [each async for each in client.get_workflow_handle(id).fetch_history_events()]


async def kept(lab: Lab, id: str) -> bytes:
    """All that the server has of a workflow and its child, as it has it."""
    described = await lab.temporal.get_workflow_handle(id).describe()
    histories = [await events(lab.temporal, each) for each in (id, f"{id}-child")]
    return described.raw_description.SerializeToString() + b"".join(
        each.SerializeToString() for history in histories for each in history
    )


async def walk(lab: Lab, queue: str, id: str) -> bytes:
    handle = await begin(lab.temporal, queue, id, succeed=False)

    async def between_attempts() -> bytes:  # a heartbeat is kept beside the history, until the activity ends
        description = (await handle.describe()).raw_description
        heard = any(each.HasField("heartbeat_details") for each in description.pending_activities)
        return description.SerializeToString() if heard else b""

    pending = await eventually(between_attempts, what="heartbeat")
    assert await handle.execute_update(Parent.change, Note(text=marked("update-in"))) == Note(
        text=marked("update-out")
    )
    await handle.signal(Parent.tell, Note(text=marked("signal")))
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    cause = raised.value.cause.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, *cause.details) == (marked("failed"), marked("failure-data"))
    assert isinstance(cause.cause, ApplicationError) and cause.cause.message == marked("cause")
    told = await handle.query(Parent.told, Note(text="asked"))
    assert told == Note(text=f"asked: {marked('signal')}")
    described = await handle.describe()
    assert await described.memo() == {"memo": marked("memo")}
    assert await described.static_summary() == marked("summary")
    return pending + await kept(lab, id)


async def test_every_way_into_a_history_is_encrypted_and_only_for_messages(lab: Lab) -> None:
    async with working(lab) as queue:
        private = await walk(lab, queue, workflow_id(fresh_id()))
        plain = await walk(lab, queue, f"video.encode-t7-v1-{uuid4().hex[:12]}")
    assert b"canary" not in private and ENCRYPTED in private
    assert b"Encoded failure" in private and b"Encoded failure" not in plain and ENCRYPTED not in plain
    # The other history shows that each of them is a way in.
    assert [route for route in ROUTES if marked(route).encode() not in plain] == []


async def test_results_come_back(lab: Lab) -> None:
    async with working(lab) as queue:
        handle = await begin(lab.temporal, queue, workflow_id(fresh_id()))
        await handle.signal(Parent.tell, Note(text=marked("signal")))
        assert await handle.result() == Note(text=marked("signal"))


async def task_failed(lab: Lab, id: str) -> None:
    """The workflow does not go on: its worker refuses what it got."""

    async def look() -> bool:
        kinds = [each.event_type for each in await events(lab.temporal, id)]
        assert EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED not in kinds
        return EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED in kinds

    await eventually(look, what="refused")


async def test_plaintext_is_refused(lab: Lab) -> None:
    stranger = await Client.connect(lab.settings.temporal_address)
    async with working(lab) as queue:
        injected = await stranger.start_workflow(
            "codec.parent", args=[{"text": marked("input")}, True], id=workflow_id(7), task_queue=queue
        )
        await task_failed(lab, injected.id)
        await injected.terminate()
        # Nor does a client of ours believe a plaintext result.
        keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
        with pytest.raises(VaultError, match="not encrypted"):
            await bound(keys, injected.id).decode([PLAIN])


async def test_a_payload_of_another_workflow_is_refused(lab: Lab) -> None:
    tenant = fresh_id()
    async with working(lab) as queue:
        one = await begin(lab.temporal, queue, workflow_id(tenant))
        two = await begin(lab.temporal, queue, workflow_id(tenant))
        taken = (await events(lab.temporal, one.id))[0].workflow_execution_started_event_attributes.input
        await lab.temporal.workflow_service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=lab.temporal.namespace,
                workflow_execution=WorkflowExecution(workflow_id=two.id),
                signal_name="tell",
                input=Payloads(payloads=taken.payloads[:1]),
            )
        )

        async def refused() -> bool:
            kinds = [each.event_type for each in await events(lab.temporal, two.id)]
            assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED not in kinds
            return EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED in kinds

        await eventually(refused, what="refused")
        for handle in (one, two):
            await handle.terminate()


def bound(keys: TenantKeys, id: str, namespace: str = "default") -> TenantCodec:
    return TenantCodec(keys).with_context(WorkflowSerializationContext(namespace=namespace, workflow_id=id))


async def test_bound_to_workflow_namespace_and_tenant(lab: Lab) -> None:
    keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    one, two = fresh_id(), fresh_id()
    id = f"messages-t{one}-0123456789ab"
    sealed = await bound(keys, id).encode([PLAIN, PLAIN])
    assert sealed[0].data != sealed[1].data
    assert await bound(keys, id).decode(sealed) == [PLAIN, PLAIN]
    await bound(keys, f"messages-t{two}-0123456789ab").encode([PLAIN])  # has a key of its own
    for codec in (
        bound(keys, f"messages-t{one}-0123456789ac"),
        bound(keys, f"messages-t{two}-0123456789ab"),
        bound(keys, id, "other"),
        bound(keys, "video.encode-t1-v1-0123456789ab"),
        TenantCodec(keys),
    ):
        with pytest.raises(VaultError):
            await codec.decode(sealed)
    with pytest.raises(VaultError):
        await bound(keys, id).decode([sealed[0], PLAIN])


async def test_a_destroyed_key_ends_reading_and_writing(lab: Lab) -> None:
    tenant, keys = fresh_id(), TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    async with working(lab) as queue:
        handle = await begin(lab.temporal, queue, workflow_id(tenant))
        await handle.signal(Parent.tell, Note(text=marked("signal")))
        await handle.result()
    await keys.destroy(tenant)
    engine = create_engine(lab.settings, "codec-test")
    fresh = await temporal.connect(lab.settings, engine)
    with pytest.raises(KeyDestroyed):
        await fresh.get_workflow_handle(handle.id).result()
    with pytest.raises(KeyDestroyed):
        await begin(fresh, "nobody", workflow_id(tenant))
    await engine.dispose()


async def test_jobs_of_a_destroyed_tenant_end(lab: Lab) -> None:
    """Neither the bridge nor the reconciler goes on trying what can never start."""
    vault = Vault(lab.settings.payload_keys.get_secret_value())
    lab.dead_letters("messaging")  # of other tests
    queued, accepted = fresh_id(), fresh_id()
    for tenant in (queued, accepted):
        await TenantKeys(lab.engine, vault).destroy(tenant)

    def body(tenant: int) -> dict[str, Any]:
        return {"tenant_id": tenant, "to": "01000000000", "text": "x", "created_at": "2026-01-01T00:00:00Z"}

    submitter = PatientSubmitter(lab.engine, lab.temporal, vault)
    await submitter.accept([parse("messaging", json.dumps(body(accepted)), "test-destroyed")])
    await Reconciler(lab.engine, lab.temporal, submitter, lab.endings()).run_once(timedelta(0))
    async with running(lab.stack, "bridge"):
        lab.send("messaging", body(queued))
        await lab.ended(queued)
        await lab.drained("messaging")
    for tenant in (accepted, queued):
        job = await lab.only_job(tenant)
        assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", START_REFUSED)
        assert job.sealed_payload is None and job.workflow_id.startswith(f"messages-t{tenant}-")
    assert [each["Reason"] for each in lab.dead_letters("messaging")] == [START_REFUSED]


def test_whose_payloads_are_encrypted() -> None:
    assert tenant_of("messages-t7-1b9d6bcd9c0f") == 7
    assert tenant_of("messages-t7-1b9d6bcd9c0f-part-2") == 7
    for other in ("video.encode-t7-v42-1b9d6bcd9c0f", "ops.reconcile", "", "x-messages-t7-1b9d6bcd9c0f"):
        assert tenant_of(other) is None
    for malformed in ("1b9d6bcd9c0f", "t-1", "t0-1", "t7", "t٧-1"):
        with pytest.raises(VaultError):
            tenant_of(f"messages-{malformed}")

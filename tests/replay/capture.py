"""`python -m tests.replay.capture [VERSION]`: run the real app and store the histories of its workflows.

To be run before a release; the histories of earlier releases stay, because their jobs may still be running.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import update
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from activities.ai.tasks.omr.sheet import sheet
from clients.codec import is_encrypted, open_payload, tenant_of
from clients.database.messaging_models import MessagingAccount
from clients.keys import TenantKeys
from clients.vault import Vault
from contracts.payloads import TrimPayload
from contracts.queues import trim_request
from contracts.trim import version_name
from contracts.video import PLAN, hls_root
from devstack.app import running
from devstack.demo import repeat
from devstack.demo_messages import open_account
from devstack.producer import delete_body
from devstack.stack import Stack
from intake.submit import Submitter
from tests.lab import SAMPLE, Lab, eventually
from tests.unit.bodies import BODIES

HISTORIES = Path(__file__).parent / "histories"
TENANT = 7
# Where it ran and who ran it: nothing that a replay reads, and nothing that the world needs to know.
OF_THE_MACHINE = {"identity": "worker", "stackTrace": "", "buildId": "", "workerVersion": {}}
PROCESS = re.compile(r"\d+@[\w.-]+")  # in the names of sticky queues


def without_machine(node: Any, folder: str) -> Any:
    if isinstance(node, list):
        return [without_machine(each, folder) for each in node]
    if isinstance(node, str):
        return PROCESS.sub("worker", node).replace(folder, "data")
    if isinstance(node, dict):
        return {key: OF_THE_MACHINE.get(key, without_machine(value, folder)) for key, value in node.items()}
    return node


class Capture:
    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))

    async def store(self, name: str, workflow_id: str) -> None:
        """The history, once the workflow is closed."""
        handle: WorkflowHandle[Any, Any] = self._lab.temporal.get_workflow_handle(workflow_id)

        async def closed() -> bool:
            return (await handle.describe()).close_time is not None

        await eventually(closed, f"{workflow_id} closed")
        found = await handle.fetch_history()
        await self._decrypt(workflow_id, found.events)
        whole = json.loads(found.to_json())
        history = without_machine(whole, str(self._lab.stack.data_dir))
        text = json.dumps({"workflowId": workflow_id} | history, indent=1, ensure_ascii=False)
        (self._folder / f"{name}.json").write_text(text + "\n")
        print(f"{name}: {len(history['events'])} events, {len(text) >> 10} KiB")

    async def _decrypt(self, workflow_id: str, messages: Iterable[Message]) -> None:
        """Open sealed payloads in place: a replay has no keys, and what is captured here is made up."""
        for message in messages:
            if isinstance(message, Payload) and is_encrypted(message):
                tenant = tenant_of(workflow_id)
                assert tenant is not None
                namespace = self._lab.settings.temporal_namespace
                message.CopyFrom(
                    await open_payload(
                        self._keys, message, tenant_id=tenant, namespace=namespace, workflow_id=workflow_id
                    )
                )
                continue
            for field, value in message.ListFields():
                if field.message_type is None:
                    continue
                many = list(value.values()) if hasattr(value, "values") else value
                parts = many if field.is_repeated else [value]
                await self._decrypt(workflow_id, [part for part in parts if isinstance(part, Message)])

    async def encode(self) -> None:
        for _ in range(2):  # the second one replaces the first
            body = self._lab.send_encode(TENANT, 1, SAMPLE)
            *_, job = await self._lab.ended(TENANT, len(await self._lab.jobs(TENANT)) + 1)
        await self.store("video.encode-done", job.workflow_id)
        await self.store("video.retire", f"video.retire-{job.workflow_id}")
        await self.trim()
        self._lab.send("video", delete_body(TENANT, 1, body["file_key"]))
        *_, job = await self._lab.ended(TENANT, 4)
        await self.store("video.delete", job.workflow_id)

    async def trim(self) -> None:
        """A part of what is shown."""
        shown = await self._lab.video(TENANT, 1)
        wanted = TrimPayload(video_id=1, version=version_name(shown.hls_prefix), start=1.5)
        vault = Vault(self._lab.settings.payload_keys.get_secret_value())
        submitter = Submitter(self._lab.engine, self._lab.temporal, vault)
        accepted = await submitter.submit(trim_request(TENANT, wanted, "trim"))
        await self.store("video.trim", accepted.workflow_id)

    async def no_video(self, scratch: Path) -> None:
        file = scratch / "lecture.mp4"
        file.write_text("this is no video\n")
        self._lab.send_encode(TENANT + 1, 2, file)
        (job,) = await self._lab.ended(TENANT + 1)
        await self.store("video.encode-failed", job.workflow_id)

    async def cancelled(self, scratch: Path) -> None:
        tenant, video = TENANT + 2, 3
        lecture = scratch / "lecture.mp4"
        repeat(SAMPLE, 6, lecture)
        self._lab.send_encode(tenant, video, lecture)

        async def began() -> bool:
            keys = await asyncio.to_thread(self._lab.keys, hls_root(tenant, video))
            return any(not key.endswith(PLAN) for key in keys)

        await eventually(began, "first unit stored")
        job = await self._lab.only_job(tenant)
        await self._lab.temporal.get_workflow_handle(job.workflow_id).cancel()
        await self.store("video.encode-cancelled", job.workflow_id)

    async def ai(self) -> None:
        """An answer sheet that is read, and a premium job that is cancelled while it waits for a worker."""
        tenant = TENANT + 3
        key = f"tenants/{tenant}/sheet.pdf"
        self._lab.objects.put(key, sheet(20), "application/pdf")
        _, body = BODIES["omr_grading"]
        body = body | {"tenant_id": str(tenant), "payload": {"file_key": key, "question_count": 20}}
        self._lab.send("ai-basic", body | {"job_id": "read"})
        (job,) = await self._lab.ended(tenant)
        await self.store("ai.job-done", job.workflow_id)
        self._lab.send("ai-premium", body | {"job_id": "waits"})

        async def accepted() -> bool:
            return len(await self._lab.jobs(tenant)) == 2

        await eventually(accepted)
        *_, job = await self._lab.jobs(tenant)
        handle: WorkflowHandle[Any, Any] = self._lab.temporal.get_workflow_handle(job.workflow_id)

        async def waits() -> bool:
            with suppress(RPCError):  # accepted, and not yet started
                return bool((await handle.describe()).raw_description.pending_activities)
            return False

        await eventually(waits)
        await handle.cancel()
        await self.store("ai.job-cancelled", job.workflow_id)
        await self.waiting_for_a_model(tenant + 3)
        await self.roster(tenant + 4)

    async def waiting_for_a_model(self, tenant: int) -> None:
        """Cancelled: there is no server here."""
        _, body = BODIES["transcription"]
        self._lab.send("ai-basic", body | {"tenant_id": str(tenant), "job_id": "no-model"})
        job = await self._lab.only_job(tenant)

        async def waits() -> bool:
            found = await self._lab.workflows(tenant)
            return bool(found and found[0].search_attributes.get("Stage") == ["waiting for a model server"])

        await eventually(waits)
        await self._lab.temporal.get_workflow_handle(job.workflow_id).cancel()
        await self.store("ai.job-without-model", job.workflow_id)

    async def roster(self, tenant: int) -> None:
        key = f"tenants/{tenant}/roster.csv"
        self._lab.objects.put(key, "이름,학부모 연락처\n학생가,01022220001\n".encode(), "text/csv")
        _, body = BODIES["excel_parsing"]
        payload = body["payload"] | {"tenant_id": tenant, "file_key": key}
        self._lab.send("ai-basic", body | {"tenant_id": str(tenant), "job_id": "roster", "payload": payload})
        (job,) = await self._lab.ended(tenant)
        await self.store("ai.job-roster", job.workflow_id)

    async def messages(self) -> None:
        """A text that arrives, one cancelled while it waits for credit, and the morning's comparison."""
        tenant = TENANT + 4
        queue, body = BODIES["sms"]
        async with self._lab.engine.begin() as connection:
            await open_account(connection, tenant)
        self._lab.send(queue, body | {"tenant_id": tenant})
        (job,) = await self._lab.ended(tenant)
        await self.store("messages-done", job.workflow_id)
        poor = tenant + 1
        async with self._lab.engine.begin() as connection:
            await open_account(connection, poor, Decimal(1))
        self._lab.send(queue, body | {"tenant_id": poor})
        job = await self._lab.only_job(poor)
        handle: WorkflowHandle[Any, Any] = self._lab.temporal.get_workflow_handle(job.workflow_id)

        async def waits() -> bool:
            found = await self._lab.workflows(poor)
            return bool(found and found[0].search_attributes.get("Stage") == ["waiting for credit"])

        await eventually(waits)
        await handle.cancel()
        await self.store("messages-cancelled", job.workflow_id)
        await self._scheduled("messages-compare", "messages.compare")

    async def digest(self) -> None:
        """A notice that waits a minute for others."""
        tenant = TENANT + 9
        queue, body = BODIES["sms"]
        async with self._lab.engine.begin() as connection:
            await open_account(connection, tenant)
            account = update(MessagingAccount).where(MessagingAccount.tenant_id == tenant)
            await connection.execute(account.values(digest_minutes=1))
        now = datetime.now(UTC).isoformat()  # what is too old waits for nobody
        self._lab.send(queue, body | {"tenant_id": tenant, "created_at": now})
        for job in await self._lab.ended(tenant, 2):
            name = "messages.digest" if job.job_type == "messages.digest" else "messages-joined"
            await self.store(name, job.workflow_id)

    async def schedules(self) -> None:
        await self._scheduled("reconcile", "ops.reconcile")
        await self._scheduled("sweep", "ops.sweep")

    async def _scheduled(self, schedule_id: str, name: str) -> None:
        schedule = self._lab.temporal.get_schedule_handle(schedule_id)
        await schedule.trigger()

        async def ran() -> Any:
            return (await schedule.describe()).info.recent_actions

        (*_, action) = await eventually(ran)  # those before are forgotten (`workers.schedules`)
        await self.store(name, action.action.workflow_id)


async def capture(version: str) -> None:
    folder = HISTORIES / version
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stack-") as scratch:
        Path(scratch).chmod(0o711)
        with Stack(Path(scratch) / "data") as stack:
            lab = await Lab.open(stack)
            async with running(stack, "bridge", "video", "messaging", "ai", "ops", RETIRE_GRACE_SECONDS="1"):
                story = Capture(lab, folder)
                await story.no_video(Path(scratch))
                await story.encode()
                await story.cancelled(Path(scratch))
                await story.ai()
                await story.messages()
                await story.digest()
                await story.schedules()
            await lab.close()


if __name__ == "__main__":
    asyncio.run(capture(*sys.argv[1:] or ["v0.1"]))

"""Twice an hour: what does the provider say of the academies' Alimtalk templates?"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import messages
    from contracts.alimtalk import Synced
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.SYNC_TEMPLATES)
class SyncTemplates:
    @workflow.run
    async def run(self) -> Synced:
        return await steps.run(messages.SYNC_TEMPLATES, None)

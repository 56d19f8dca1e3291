"""One AI job: look at the file, work on its units on any worker, assemble, store, tell who asked.

A finished unit is an immutable object, so a retry, another worker or the same file sent again goes on where
the work stands.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutError, TimeoutType

with workflow.unsafe.imports_passed_through():
    from contracts.activities import Activity, ai
    from contracts.ai import AiInput, AiPlan, Delivery, PlannedJob, UnitsInput
    from contracts.base import Contract
    from contracts.catalog import ai_job
    from contracts.jobs import JobOutcome
    from contracts.names import TaskQueue, WorkflowType
    from contracts.progress import Progress, ai_progress
    from workflows import steps

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")

UNITS_A_BATCH = 20
BATCHES_A_RUN = 25  # 500 pages, then continue as new
WAIT_FOR_GPU = timedelta(minutes=5)


@workflow.defn(name=WorkflowType.AI)
class RunAiJob:
    def __init__(self) -> None:
        self._progress = ai_progress("plan", 0)
        self._planned: PlannedJob | None = None

    @workflow.query
    def progress(self) -> Progress:
        return self._progress

    @workflow.run
    async def run(self, what: AiInput) -> JobOutcome:
        self._queue = TaskQueue.AI_GPU if what.tier == "premium" else TaskQueue.AI
        try:
            outcome = await self._work(what)
        except (ActivityError, asyncio.CancelledError) as error:
            outcome = steps.outcome_of(steps.code_of(error))
        standing = await steps.shielded(steps.finish(what.job.job_id, outcome))
        await steps.shielded(self._afterwards(Delivery(job=what.job, outcome=standing)))
        return steps.raise_unless_done(standing)

    async def _work(self, what: AiInput) -> JobOutcome:
        if what.plan is None and ai_job(what.job).at_once and workflow.patched("rosters-at-once"):
            self._queue = TaskQueue.AI  # nothing in it is for a GPU
            steps.stage("importing")
            self._progress = ai_progress("run", 0)
            return await self._step(ai.IMPORT_ROSTER, what.job)
        plan = what.plan or await self._plan(what)
        if plan.refusal:
            return plan.refusal
        self._planned = planned = PlannedJob(job=what.job, plan=plan)
        if plan.units:
            await self._run_units(what, plan)
        if plan.lacks_model:
            steps.stage("waiting for a model server", "its address is not set: it is looked for every minute")
            await self._step(ai.REQUIRE_MODEL, what.job)
        if not plan.units:
            steps.stage("running")
            self._progress = ai_progress("run", 0)
            return await self._step(ai.CALL, planned)
        steps.stage("assembling")
        self._progress = ai_progress("assemble", 0)
        return await self._step(ai.ASSEMBLE, planned)

    async def _plan(self, what: AiInput) -> AiPlan:
        """On the tier's own queue first; premium without a worker falls back, and the result says so."""
        steps.stage("validating")
        if self._queue == TaskQueue.AI_GPU:
            try:
                return await self._step(replace(ai.PLAN, schedule_to_start=WAIT_FOR_GPU), what.job)
            except ActivityError as error:
                if (
                    not isinstance(error.cause, TimeoutError)
                    or error.cause.type != TimeoutType.SCHEDULE_TO_START
                ):
                    raise
            steps.stage("no premium worker", "going on with the ordinary ones")
            self._queue = TaskQueue.AI
            plan = await self._step(ai.PLAN, what.job)
            return plan.model_copy(update={"fallback": True})
        return await self._step(ai.PLAN, what.job)

    async def _run_units(self, what: AiInput, plan: AiPlan) -> None:
        if plan.fallback:
            self._queue = TaskQueue.AI
        stop = min(plan.units, what.next_unit + UNITS_A_BATCH * BATCHES_A_RUN)
        done = what.next_unit
        self._show(done, plan)

        async def batch(first: int) -> None:
            nonlocal done
            last = min(first + UNITS_A_BATCH, stop) - 1
            units = UnitsInput(job=what.job, plan=plan, first=first, last=last)
            await self._step(ai.RUN_UNITS, units)
            done += last - first + 1
            self._show(done, plan)

        firsts = range(what.next_unit, stop, UNITS_A_BATCH)
        await steps.gather_or_stop([asyncio.create_task(batch(first)) for first in firsts])
        if stop < plan.units:
            workflow.continue_as_new(what.model_copy(update={"plan": plan, "next_unit": stop}))

    async def _afterwards(self, delivery: Delivery) -> None:
        await asyncio.gather(self._deliver(delivery), self._tidy())

    async def _tidy(self) -> None:
        """The job has ended; its work may hold people."""
        if self._planned is None or not self._planned.plan.erase:
            return
        try:
            await self._step(ai.ERASE, self._planned)
        except ActivityError:
            workflow.logger.warning("the work of a job was not erased: %s", self._planned.plan.prefix)

    async def _deliver(self, delivery: Delivery) -> None:
        """The job has ended, whether or not the submitting system can be reached within a day."""
        try:
            await steps.run(ai.DELIVER, delivery)
        except ActivityError:
            workflow.logger.warning("the result could not be delivered; it can be read over the API")

    def _show(self, done: int, plan: AiPlan) -> None:
        self._progress = ai_progress("run", done / plan.units)
        steps.stage("running", f"{done} of {plan.units} units")

    async def _step(self, activity: Activity[In, Out], what: In) -> Out:
        return await steps.run(replace(activity, queue=self._queue), what)

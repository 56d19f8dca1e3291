"""`academy job`: look at jobs, stop them, run them again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, NamedTuple
from uuid import UUID

import typer

from academy.shared import OPERATOR, Json, Limit, OfTenant, Row, group, refusals, run, say, show, show_each
from api.job_changes import run_again, stop
from api.services import Services, open_services
from clients.database import job_lists, jobs
from clients.database.engine import opened
from clients.database.job_lists import JobsWanted
from clients.database.jobs import JobRow, SealedJob
from clients.operators import Act, Command, Operator, acting
from clients.settings import Settings, load
from contracts.catalog import CATALOG
from contracts.errors import REASONS
from contracts.jobs import JobState

LOG_LINES = 1000

job = group("Jobs of all academies.")
JobId = Annotated[UUID, typer.Argument(metavar="JOB", help="The id in `academy job list`.")]


class Filter(NamedTuple):
    tenant: int | None
    types: tuple[str, ...]
    states: tuple[JobState, ...]
    only_open: bool


def _type(name: str) -> str:
    if name not in CATALOG:
        raise typer.BadParameter(f"one of {', '.join(CATALOG)}")
    return name


@job.command("list")
def list_jobs(
    tenant: OfTenant = None,
    job_type: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            parser=_type,
            metavar="TYPE",
            help="One of these types.",
            autocompletion=lambda: [*CATALOG],
        ),
    ] = None,
    state: Annotated[list[JobState] | None, typer.Option(help="In one of these states.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
    before: Annotated[int | None, typer.Option(min=1, help="Those with a lower seq: the next page.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first."""
    asked = Filter(tenant, tuple(job_type or ()), tuple(state or ()), only_open)
    show_each([_line(each) for each in run(_page(load(), asked, before, limit))], as_json)


async def _page(settings: Settings, asked: Filter, before: int | None, limit: int) -> list[JobRow]:
    async with opened(settings, "operator") as engine, engine.connect() as connection:
        wanted = JobsWanted("open" if asked.only_open else "all", before, asked.types, asked.states)
        return await job_lists.jobs(connection, asked.tenant, wanted, limit)


async def look(settings: Settings, operator: Operator, job_id: UUID, result: bool) -> Row:
    """A job; its result may be of persons, and is recorded as looked at. SystemExit without such a job."""
    found = await _find(settings, job_id)
    reason = REASONS.get(found.error_code or "")
    row = {**_line(found), "source": found.source, "workflow": found.workflow_id}
    row["reason"] = reason.en if reason else None
    if result:
        async with acting(settings, operator, Command.SHOW_RESULT, found.tenant_id, job=str(job_id)):
            row["result"] = found.result
    return row


@job.command("show")
def show_job(
    job_id: JobId,
    result: Annotated[bool, typer.Option("--result", help="What came of it; it may name persons.")] = False,
    as_json: Json = False,
) -> None:
    """Show a job. What came of it is shown only with --result."""
    show(run(look(load(), OPERATOR.get(), job_id, result)), as_json)


@job.command("log")
def show_log(job_id: JobId, as_json: Json = False) -> None:
    """Show what happened to a job and when: at most its first thousand entries."""

    async def events(settings: Settings) -> list[Row]:
        await _find(settings, job_id)
        async with opened(settings, "operator") as engine, engine.connect() as connection:
            return [asdict(each) for each in await jobs.events(connection, job_id, LOG_LINES)]

    show_each(run(events(load())), as_json)


async def cancel(settings: Settings, operator: Operator, job_id: UUID) -> SealedJob:
    """Ask a job to stop. SystemExit where it has ended."""
    async with _changing(settings, operator, Command.CANCEL_JOB, job_id) as (services, found, _):
        await stop(services, found)
        return found


@job.command("cancel")
def cancel_job(job_id: JobId, as_json: Json = False) -> None:
    """Ask a job to stop; look at it for what came of that."""
    run(cancel(load(), OPERATOR.get(), job_id))
    say(f"asked to stop: {job_id}", as_json, asked_to_stop=job_id)


async def retry(settings: Settings, operator: Operator, job_id: UUID) -> UUID:
    """The id of the job that does the same again. SystemExit where that cannot be."""
    async with _changing(settings, operator, Command.RETRY_JOB, job_id) as (services, found, act):
        accepted = await run_again(services, found)
        act.about["again"] = str(accepted.job_id)
        return accepted.job_id


@job.command("retry")
def retry_job(job_id: JobId, as_json: Json = False) -> None:
    """Run a job that failed again, as a new job."""
    again = run(retry(load(), OPERATOR.get(), job_id))
    say(f"runs again as {again}", as_json, job=again)


@asynccontextmanager
async def _changing(
    settings: Settings, operator: Operator, command: Command, job_id: UUID
) -> AsyncIterator[tuple[Services, SealedJob, Act]]:
    found = await _find(settings, job_id)
    about = {"job": str(job_id), "type": found.job_type}
    async with (
        acting(settings, operator, command, found.tenant_id, **about) as act,
        open_services(settings) as services,
    ):
        with refusals(act):
            yield services, found, act


async def _find(settings: Settings, job_id: UUID) -> SealedJob:
    async with opened(settings, "operator") as engine, engine.connect() as connection:
        found = await jobs.sealed(connection, job_id)
    if found is None:
        raise SystemExit(f"there is no job {job_id}")
    return found


def _line(row: JobRow) -> dict[str, object]:
    return {
        "seq": row.seq,
        "job": row.id,
        "tenant": row.tenant_id,
        "type": row.job_type,
        "state": row.state,
        "code": row.error_code,
        "accepted": row.accepted_at,
        "started": row.started_at,
        "finished": row.finished_at,
    }

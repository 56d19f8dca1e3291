"""What `POST /api/v1/jobs` takes: one schema for each job type, made of the queues' own contracts.

A payload is what the queue's body carries, without the tenant: that comes from the credential.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, create_model
from pydantic.json_schema import SkipJsonSchema

from contracts.base import Outside
from contracts.catalog import CATALOG, Domain, JobType
from contracts.jobs import JobRequest
from contracts.queues import read

Tier = Literal["lite", "basic", "premium"]


class Wanted(Outside):
    """A job that is asked for."""

    job_type: str
    payload: Any


class AiWanted(Wanted):
    tier: Tier = "basic"


def _wanted(job_type: str, payload: Any, base: type[Wanted] = Wanted) -> type[Wanted]:
    literal: Any = Literal[job_type]
    made: type[Wanted] = create_model(
        f"{_name(job_type)}Job", __base__=base, job_type=(literal, ...), payload=(payload, ...)
    )
    return made


def _name(job_type: str) -> str:
    return job_type.replace(".", " ").replace("_", " ").title().replace(" ", "")


# In a queue's body they say whose a job is; over HTTP the credential alone does.
_WHOSE = ("tenant_id", "source_tenant_id")
_NOT_YOURS: Any = (SkipJsonSchema[None], None)  # type: ignore[misc]  # refused when it is there


def _of(row: JobType) -> type[Wanted]:
    payload = row.asked or row.payload
    if theirs := {name: _NOT_YOURS for name in _WHOSE if name in payload.model_fields}:
        payload = create_model(f"{_name(row.name)}Payload", __base__=payload, **theirs)
    return _wanted(row.name, payload, AiWanted if row.domain is Domain.AI else Wanted)


_TYPES = tuple(_of(row) for row in CATALOG.values() if not row.ours)

if TYPE_CHECKING:
    AnyWanted = Wanted
else:
    AnyWanted = Annotated[Union[_TYPES], Field(discriminator="job_type")]  # noqa: UP007 - of a tuple


def job_request(queue: str, tenant_id: int, body: dict[str, Any], key: str) -> JobRequest:
    """The request in a queue's body, asked for over HTTP by `tenant_id`. Raises Poison, as for the queue."""
    asked = read(queue, body | dict.fromkeys(_WHOSE) | {"tenant_id": tenant_id})
    return asked.model_copy(update={"idempotency_key": f"api:{key}", "external_id": None, "source": "api"})

"""What `POST /api/v1/jobs` takes: one schema for each job type, made of the queues' own contracts.

A payload is what the queue's body carries, without the tenant: that comes from the credential.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from contracts.jobs import JobRequest
from contracts.messaging import SendRequest
from contracts.queues import AI_JOB_TYPES, parse
from contracts.queues.fields import BigId, ObjectKey, QueueMessage
from contracts.queues.messaging import SendMessage

Tier = Literal["lite", "basic", "premium"]


class EncodePayload(QueueMessage):
    """Without `file_key` the video's own file is encoded."""

    video_id: BigId
    file_key: ObjectKey | None = None


class DeletePayload(QueueMessage):
    """Everything of the video goes: its source, its versions, and what encodes of it are at."""

    video_id: BigId


class Wanted(BaseModel):
    """A job that is asked for."""

    model_config = ConfigDict(hide_input_in_errors=True)

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


def _without_tenant(job_type: str, model: type[BaseModel], **more: Any) -> Any:
    return create_model(f"{_name(job_type)}Payload", __base__=model, tenant_id=_NOT_YOURS, **more)


def _name(job_type: str) -> str:
    return job_type.replace(".", " ").replace("_", " ").title().replace(" ", "")


_NOT_YOURS: Any = (SkipJsonSchema[None], None)  # type: ignore[misc]  # refused when it is there
_EXCEL = {"bucket": _NOT_YOURS, "dry_run": (bool, False)}

_TYPES = (
    _wanted("video.encode", EncodePayload),
    _wanted("video.delete", DeletePayload),
    _wanted("messages.send", SendRequest),
    _wanted("messaging.send", _without_tenant("messaging.send", SendMessage)),
    *(
        _wanted(
            f"ai.{name}",
            _without_tenant(f"ai.{name}", model, **(_EXCEL if name == "excel_parsing" else {})),
            AiWanted,
        )
        for name, model in AI_JOB_TYPES.items()
    ),
)

if TYPE_CHECKING:
    AnyWanted = Wanted
else:
    AnyWanted = Annotated[Union[_TYPES], Field(discriminator="job_type")]  # noqa: UP007 - of a tuple


def job_request(queue: str, tenant_id: int, body: dict[str, Any], key: str) -> JobRequest:
    """The request in a queue's body, asked for over HTTP by `tenant_id`. Raises Poison, as for the queue."""
    asked = parse(queue, json.dumps(body | {"tenant_id": tenant_id}), "")
    return asked.model_copy(update={"idempotency_key": f"api:{key}", "external_id": None, "source": "api"})

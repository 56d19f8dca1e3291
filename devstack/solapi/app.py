"""The endpoints of Solapi v4, and the application around them."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.types import ASGIApp

from devstack.solapi import control, kakao, page, statistics
from devstack.solapi.answers import Json, Refusal, answer, invalid, iso, limit_of, moment_of, paged, parse
from devstack.solapi.auth import Authenticator
from devstack.solapi.carriers import ACCEPTED
from devstack.solapi.faults import FaultBook
from devstack.solapi.gate import Gate
from devstack.solapi.messages import ACCOUNT, Message
from devstack.solapi.provider import Provider
from devstack.solapi.webhooks import Webhooks

TICK = 0.1  # seconds between looks at what is due
MMS_BYTES = 200 * 1024
JPEG = b"\xff\xd8\xff"

router = APIRouter()


async def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


Here = Annotated[Provider, Depends(_provider)]


def as_of(request: Request, provider: Provider) -> float:
    """The moment a read answers for: now, or earlier when a fault makes it stale."""
    lag: float = request.state.lag
    return provider.clock.now() - lag


@router.post("/messages/v4/groups")
async def create(request: Request, provider: Here) -> Response:
    group = provider.create(parse(await request.body()))
    return answer(group.view(provider.clock.now()))


@router.get("/messages/v4/groups")
async def groups(request: Request, provider: Here) -> Response:
    moment, query, limit = as_of(request, provider), request.query_params, limit_of(request)
    known = [group for group in reversed(provider.groups.values()) if group.created <= moment]
    if query.get("criteria") == "groupId":
        known = [group for group in known if group.id == query.get("value")]
    start = query.get("startKey")
    found, next_key = paged(known, lambda group: group.id, start, limit)
    listed = {group.id: group.view(moment) for group in found}
    return answer({"startKey": start, "nextKey": next_key, "limit": limit, "groupList": listed})


@router.get("/messages/v4/groups/{group_id}")
async def get(group_id: str, request: Request, provider: Here) -> Response:
    moment = as_of(request, provider)
    return answer(provider.group(group_id, moment).view(moment))


@router.delete("/messages/v4/groups/{group_id}")
async def delete(group_id: str, provider: Here) -> Response:
    return answer(provider.delete(provider.group(group_id)).view(provider.clock.now()))


@router.put("/messages/v4/groups/{group_id}/messages")
async def add(group_id: str, request: Request, provider: Here) -> Response:
    new = provider.add(provider.group(group_id), parse(await request.body()).get("messages"))
    failed = sum(message.code != ACCEPTED for message in new)
    return answer({"errorCount": failed, "resultList": [message.result() for message in new]})


@router.delete("/messages/v4/groups/{group_id}/messages")
async def remove_messages(group_id: str, request: Request, provider: Here) -> Response:
    """Take messages out of a group that is not sent yet."""
    wanted = parse(await request.body()).get("messageIds")
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise invalid("messageIds")
    gone = provider.remove(provider.group(group_id), wanted)
    results = [{"messageId": id, "resultCode": "2000" if id in gone else "4040"} for id in wanted]
    return answer({"groupId": group_id, "errorCount": len(wanted) - len(gone), "resultList": results})


@router.get("/messages/v4/groups/{group_id}/messages")
async def group_messages(group_id: str, request: Request, provider: Here) -> Response:
    group, moment = provider.group(group_id), as_of(request, provider)
    return answer(_listed(request, [each for each in group.messages if each.created <= moment], moment))


@router.post("/messages/v4/groups/{group_id}/send")
async def send(group_id: str, provider: Here) -> Response:
    return answer(provider.send(provider.group(group_id)).view(provider.clock.now()))


@router.post("/messages/v4/groups/{group_id}/schedule")
async def schedule(group_id: str, request: Request, provider: Here) -> Response:
    date = parse(await request.body()).get("scheduledDate")
    return answer(provider.schedule(provider.group(group_id), date).view(provider.clock.now()))


@router.delete("/messages/v4/groups/{group_id}/schedule")
async def cancel(group_id: str, provider: Here) -> Response:
    return answer(provider.cancel(provider.group(group_id)).view(provider.clock.now()))


@router.post("/messages/v4/send-many/detail")
async def send_many(request: Request, provider: Here) -> Response:
    body = parse(await request.body())
    group, new = provider.send_many(body)
    found: Json = {
        "failedMessageList": [message.result() for message in new if message.code != ACCEPTED],
        "groupInfo": group.view(provider.clock.now()),
    }
    if body.get("showMessageList"):
        found["messageList"] = [message.result() for message in new]
    return answer(found)


@router.get("/messages/v4/list")
@router.get("/messages/v4/list-old")  # where the Python SDK asks
async def list_messages(request: Request, provider: Here) -> Response:
    moment, query = as_of(request, provider), request.query_params
    wanted = {id for name in ("messageIds", "messageIds[]") for id in query.getlist(name)}
    try:
        since = moment_of(query["startDate"]) if "startDate" in query else 0.0
        until = moment_of(query["endDate"]) if "endDate" in query else moment
    except ValueError as error:
        raise invalid("startDate, endDate") from error
    updated = query.get("dateType", "CREATED").upper() == "UPDATED"
    exact = {name: query[name] for name in ("messageId", "groupId", "to", "from") if name in query}

    def fits(message: Message) -> bool:
        step = message.at(moment)
        date = message.sent + step.after if updated and message.sent <= moment else message.created
        have = {
            "messageId": message.id,
            "groupId": message.group_id,
            "to": message.to,
            "from": message.sender,
        }
        return (
            message.created <= moment
            and since <= date <= until
            and all(have[name] == value for name, value in exact.items())
            and (not wanted or message.id in wanted)
            and query.get("type", step.type) == step.type
            and query.get("statusCode", step.code) == step.code
        )

    return answer(_listed(request, filter(fits, reversed(provider.messages.values())), moment))


def _listed(request: Request, messages: Any, moment: float) -> Json:
    limit, start = limit_of(request), request.query_params.get("startKey")
    found, next_key = paged(messages, lambda message: message.id, start, limit)
    listed = {message.id: message.view(moment) for message in found}
    return {"startKey": start, "nextKey": next_key, "limit": limit, "messageList": listed}


@router.get("/cash/v1/balance")
async def balance(provider: Here) -> Response:
    return answer({"balance": provider.balance, "point": 0, "accountId": ACCOUNT, "autoRecharge": 0})


@router.post("/storage/v1/files")
async def upload(request: Request, provider: Here) -> Response:
    body = parse(await request.body())
    try:
        file = base64.b64decode(body.get("file") or "", validate=True)
    except binascii.Error as error:
        raise invalid("file") from error
    if body.get("type") == "MMS" and (not file.startswith(JPEG) or len(file) > MMS_BYTES):
        raise invalid("MMS 이미지는 200KB 이하의 JPG 파일만 등록할 수 있습니다.")
    id, now, name = f"ST01FL{secrets.token_hex(13)}", provider.clock.now(), body.get("name")
    provider.account.files[id] = file
    return answer(
        {
            "fileId": id,
            "accountId": ACCOUNT,
            "type": body.get("type"),
            "name": name or id,
            "originalName": name or id,
            "link": body.get("link"),
            "url": str(request.url_for("file", file_id=id)),
            "references": [],
            "dateCreated": iso(now),
            "dateUpdated": iso(now),
        }
    )


async def refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


def create_app(provider: Provider, key: str, secret: str, webhooks: Webhooks) -> ASGIApp:
    """The simulator as an ASGI application; run it with `gate.ResettableProtocol`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async def tick() -> None:
            while True:
                provider.settle()
                webhooks.send(provider.outbox)
                await asyncio.sleep(TICK)

        ticking = asyncio.create_task(tick())
        yield
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
        await webhooks.close()

    app = FastAPI(title="Solapi simulator", lifespan=lifespan, docs_url=None, openapi_url=None)
    faults = FaultBook()
    gate = Gate(app, provider, Authenticator(key, secret), faults)
    app.state.provider, app.state.webhooks = provider, webhooks
    app.state.faults, app.state.gate = faults, gate
    app.add_exception_handler(Refusal, refused)
    for each in (router, kakao.router, statistics.router, control.router, page.router):
        app.include_router(each)
    return gate

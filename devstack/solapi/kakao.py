"""KakaoTalk channels and Alimtalk templates: read, and written as a customer writes them."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from devstack.solapi.answers import Json, Refusal, answer, invalid, iso, limit_of, paged, parse
from devstack.solapi.messages import ACCOUNT, variables_of
from devstack.solapi.provider import Provider

CATEGORIES = [{"code": "001", "name": "교육"}, {"code": "001001", "name": "교육/학원"}]
WRITABLE = (
    *("name", "content", "messageType", "emphasizeType", "buttons", "quickReplies", "header", "highlight"),
    *("item", "extra", "ad", "emphasizeTitle", "emphasizeSubtitle", "securityFlag"),
)

router = APIRouter(prefix="/kakao/v2")


async def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


Here = Annotated[Provider, Depends(_provider)]


def new_channel(channel_id: str, now: float, search_id: str = "@simulator", phone: str = "") -> Json:
    return {
        "channelId": channel_id,
        "searchId": search_id,
        "accountId": ACCOUNT,
        "phoneNumber": phone,
        "sharedAccountIds": [],
        "dateCreated": iso(now),
        "dateUpdated": iso(now),
    }


def new_template(template_id: str, channel_id: str, now: float, parts: Json) -> Json:
    """A template as the API shows it; `parts` are what it is made of."""
    made: Json = {
        "templateId": template_id,
        "channelId": channel_id,
        "channelGroupId": None,
        "accountId": ACCOUNT,
        "status": "PENDING",
        "buttons": [],
        "messageType": "BA",
        "emphasizeType": "NONE",
        "assignType": "CHANNEL",
        "securityFlag": False,
        "commentable": False,
        "isHidden": False,
        "quickReplies": [],
        "dateCreated": iso(now),
        "dateUpdated": iso(now),
    } | parts
    return made | {"variables": [{"name": name} for name in variables_of(made)]}


@router.get("/templates")
async def templates(request: Request, provider: Here) -> Response:
    query = request.query_params
    names = [name for name in ("status", "channelId", "templateId", "name") if name in query]
    fitting = (t for t in provider.account.templates.values() if all(t[n] == query[n] for n in names))
    limit, start = limit_of(request), query.get("startKey")
    found, next_key = paged(fitting, lambda each: str(each["templateId"]), start, limit)
    return answer({"startKey": start, "nextKey": next_key, "limit": limit, "templateList": found})


@router.post("/templates")
async def create_template(request: Request, provider: Here) -> Response:
    body = parse(await request.body())
    if not all(body.get(name) for name in ("name", "content", "categoryCode")):
        raise invalid("name, content, categoryCode")
    if body.get("channelId") not in provider.account.channels:
        raise Refusal(404, "ResourceNotFound", "해당 채널이 존재하지 않습니다.")
    template_id = f"KA01TP{secrets.token_hex(12)}"
    parts = {name: body[name] for name in WRITABLE if name in body}
    made = new_template(template_id, body["channelId"], provider.clock.now(), parts)
    provider.account.templates[template_id] = made
    return answer(made)


@router.get("/templates/categories")
async def template_categories() -> Response:
    return answer(CATEGORIES)


@router.get("/templates/{template_id}")
async def template(template_id: str, provider: Here) -> Response:
    return answer(_template(provider, template_id))


@router.put("/templates/{template_id}")
@router.put("/templates/{template_id}/name")
async def update_template(template_id: str, request: Request, provider: Here) -> Response:
    """Changed text is looked at anew by KakaoTalk; a name is the customer's own."""
    body = parse(await request.body())
    known = _template(provider, template_id)
    if request.url.path.endswith("/name"):
        known["name"] = body.get("name") or known["name"]
        return answer(known)
    if known["status"] not in ("PENDING", "REJECTED"):
        raise Refusal(400, "InvalidStatus", "검수 중이거나 승인된 템플릿은 수정할 수 없습니다.")
    parts = known | {name: body[name] for name in WRITABLE if name in body} | {"status": "PENDING"}
    made = new_template(template_id, known["channelId"], provider.clock.now(), parts)
    provider.account.templates[template_id] = made
    return answer(made)


@router.put("/templates/{template_id}/inspection")
async def request_inspection(template_id: str, provider: Here) -> Response:
    known = _template(provider, template_id)
    if known["status"] != "PENDING":
        raise Refusal(400, "InvalidStatus", "대기 상태의 템플릿만 검수를 요청할 수 있습니다.")
    known["status"] = "INSPECTING"
    return answer(known)


@router.put("/templates/{template_id}/inspection/cancel")
async def cancel_inspection(template_id: str, provider: Here) -> Response:
    known = _template(provider, template_id)
    if known["status"] != "INSPECTING":
        raise Refusal(400, "InvalidStatus", "검수 중인 템플릿이 아닙니다.")
    known["status"] = "PENDING"
    return answer(known)


@router.delete("/templates/{template_id}")
async def remove_template(template_id: str, provider: Here) -> Response:
    known = _template(provider, template_id)
    if known["status"] == "INSPECTING":
        raise Refusal(400, "InvalidStatus", "검수 중인 템플릿은 삭제할 수 없습니다.")
    return answer(provider.account.templates.pop(template_id))


@router.get("/channels")
async def channels(request: Request, provider: Here) -> Response:
    limit, start = limit_of(request), request.query_params.get("startKey")
    found, next_key = paged(
        provider.account.channels.values(), lambda each: str(each["channelId"]), start, limit
    )
    return answer({"startKey": start, "nextKey": next_key, "limit": limit, "channelList": found})


@router.get("/channels/categories")
async def channel_categories() -> Response:
    return answer(CATEGORIES)


@router.post("/channels/token")
async def channel_token(request: Request) -> Response:
    """The real one sends a number by KakaoTalk; here any will do."""
    body = parse(await request.body())
    if not body.get("searchId") or not body.get("phoneNumber"):
        raise invalid("searchId, phoneNumber")
    return answer({"success": True})


@router.post("/channels")
async def create_channel(request: Request, provider: Here) -> Response:
    body = parse(await request.body())
    if not all(body.get(name) for name in ("searchId", "phoneNumber", "categoryCode", "token")):
        raise invalid("searchId, phoneNumber, categoryCode, token")
    channel_id = f"KA01PF{secrets.token_hex(12)}"
    made = new_channel(channel_id, provider.clock.now(), body["searchId"], body["phoneNumber"])
    provider.account.channels[channel_id] = made
    return answer(made)


@router.get("/channels/{channel_id}")
async def channel(channel_id: str, provider: Here) -> Response:
    return answer(_channel(provider, channel_id))


@router.delete("/channels/{channel_id}")
async def remove_channel(channel_id: str, provider: Here) -> Response:
    _channel(provider, channel_id)
    return answer(provider.account.channels.pop(channel_id))


def _template(provider: Provider, template_id: str) -> Json:
    if (found := provider.account.templates.get(template_id)) is None:
        raise Refusal(404, "ResourceNotFound", "해당 템플릿이 존재하지 않습니다.")
    return found


def _channel(provider: Provider, channel_id: str) -> Json:
    if (found := provider.account.channels.get(channel_id)) is None:
        raise Refusal(404, "ResourceNotFound", "해당 채널이 존재하지 않습니다.")
    return found

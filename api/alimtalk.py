"""An academy's Alimtalk templates as the provider has them. Those of its own channel are its own to write;
those of a channel that it shares are there to be looked at."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from api.problems import not_found, refused
from api.services import Services
from clients.database import alimtalk, credits
from clients.database.turns import Turns
from clients.solapi import Ambiguous, Refused, Solapi, SolapiError, Unreachable
from clients.solapi_templates import TemplateCalls
from contracts.alimtalk import AlimtalkTemplate, NewAlimtalkTemplate
from rules.messaging.registered import asked, is_same, shown


@dataclass(frozen=True)
class Channel:
    """A KakaoTalk channel. `own`: this academy's, not the one that all share who have none."""

    id: str
    own: bool


@dataclass(frozen=True)
class Looked:
    """`items` by name; `waiting`: how many jobs that have not ended use each; `remembered_at`: when the
    provider was last asked, where it does not answer now. Then there are no words and no buttons."""

    channel: Channel | None
    items: Sequence[AlimtalkTemplate] = ()
    waiting: dict[str, int] | None = None
    remembered_at: datetime | None = None
    answered: bool = True


async def channel_of(services: Services, tenant: int) -> Channel | None:
    """Its own, else the one that academies without one share."""
    async with services.engine.connect() as connection:
        account = await credits.account(connection, tenant)
    shared = services.settings.solapi_kakao_pf_id
    if account and (pf_id := account.pf_id or shared):
        return Channel(pf_id, own=pf_id != shared)
    return None


async def look(services: Services, tenant: int) -> Looked:
    """What the provider says now, else what it said last."""
    channel = await channel_of(services, tenant)
    if channel is None:
        return Looked(None)
    async with services.engine.connect() as connection:
        waiting = dict(await alimtalk.waiting(connection, tenant))
    try:
        async with _provider(services) as provider:
            listed = await provider.of_channel(channel.id)
    except SolapiError:
        return await _remembered(services, tenant, channel, waiting)
    seen = [template for each in listed if (template := shown(each))]
    return Looked(channel, sorted(seen, key=lambda each: (each.name, each.template_id)), waiting)


async def categories(services: Services) -> list[tuple[str, str]]:
    """Code and name. HTTPException 503 where the provider does not say."""
    async with _asked(services) as provider:
        return await provider.categories()


async def register(services: Services, tenant: int, wanted: NewAlimtalkTemplate) -> AlimtalkTemplate:
    """A template of the academy's own channel; the one that is there, where the same was registered before.
    HTTPException 409 without a channel of its own, else as `_asked`."""
    channel = await _own(services, tenant)
    async with _asked(services) as provider:
        listed = [shown(each) for each in await provider.of_channel(channel.id)]
        if same := next((each for each in listed if each and is_same(each, wanted)), None):
            return same
        return await _noted(services, tenant, await provider.create(asked(wanted, channel.id)))


async def inspection(services: Services, tenant: int, template_id: str, *, wanted: bool) -> AlimtalkTemplate:
    """Have a template looked at, or no more. HTTPException 404 for one that is not of the academy's own
    channel, else as `_asked`."""
    channel = await _own(services, tenant)
    async with _asked(services) as provider:
        # Others' are of the same account of ours, and the provider would do it.
        if template_id not in [each.get("templateId") for each in await provider.of_channel(channel.id)]:
            raise not_found("template")
        change = provider.request_inspection if wanted else provider.cancel_inspection
        return await _noted(services, tenant, await change(template_id))


async def _own(services: Services, tenant: int) -> Channel:
    channel = await channel_of(services, tenant)
    if channel is None or not channel.own:
        raise refused(409, "no_own_channel", "This academy has no KakaoTalk channel of its own.")
    return channel


async def _noted(services: Services, tenant: int, answer: dict[str, object]) -> AlimtalkTemplate:
    template = shown(answer)
    if template is None:
        raise refused(502, "provider_unclear", _UNCLEAR)
    async with services.engine.begin() as connection:
        await alimtalk.note(connection, tenant, [template], whole=False)
    return template


async def _remembered(services: Services, tenant: int, channel: Channel, waiting: dict[str, int]) -> Looked:
    async with services.engine.connect() as connection:
        rows = await alimtalk.known(connection, tenant) if channel.own else []
    items = [
        AlimtalkTemplate(
            template_id=row.template_id, channel_id=channel.id, name=row.name, status=row.status, content=""
        )
        for row in rows
    ]
    at = max((row.seen_at for row in rows), default=None)
    return Looked(channel, items, waiting, remembered_at=at, answered=False)


_UNCLEAR = "The provider may have done it: look at the list before you ask again."


@asynccontextmanager
async def _asked(services: Services) -> AsyncIterator[TemplateCalls]:
    """HTTPException 422 with the provider's code for what it refuses, 503 where it cannot be asked, 502 where
    nobody knows whether it was done."""
    try:
        async with _provider(services) as provider:
            yield provider
    except Refused as error:
        raise refused(422, "provider_refused", f"The provider refuses it: {error.code}") from None
    except Ambiguous:
        raise refused(502, "provider_unclear", _UNCLEAR) from None
    except SolapiError:
        raise refused(503, "provider_away", "The provider cannot be asked at the moment.") from None


@asynccontextmanager
async def _provider(services: Services) -> AsyncIterator[TemplateCalls]:
    """Raises SolapiError's kinds; Unreachable without an account at the provider."""
    settings = services.settings
    turns = Turns(services.engine, settings.solapi_api_key or "", settings.solapi_requests_per_second)
    try:
        solapi = Solapi(settings, turns)
    except ValueError:
        raise Unreachable("NoAccount") from None
    try:
        yield TemplateCalls(solapi)
    finally:
        await solapi.aclose()

"""Alimtalk templates as the provider has them, kept for a minute: a preview asks at every pause in typing."""

import time

from api.services import Services
from clients.database.turns import Turns
from clients.solapi import Refused, Solapi, SolapiError
from contracts.errors import TEMPLATE_NOT_READABLE
from contracts.messaging import Draft, Template
from rules.messaging.template import read
from rules.messaging.unsendable import Unsendable

KEPT_SECONDS = 60.0
_kept: dict[str, tuple[float, Template | None]] = {}  # what is not understood is asked for again


async def find(services: Services, draft: Draft) -> Template | Unsendable | None:
    """The draft's template, or the default one; None if it needs none, or the provider has it not, and the
    reason where its answer cannot be read."""
    settings = services.settings
    template_id = draft.template_id or settings.solapi_kakao_template_id
    if not draft.by_kakao or template_id is None or not settings.solapi_api_key:
        return None
    kept = _kept.get(template_id)
    if kept and kept[0] > time.monotonic():
        return kept[1]
    turns = Turns(services.engine, settings.solapi_api_key, settings.solapi_requests_per_second)
    solapi = Solapi(settings, turns)
    try:
        template = read(template_id, await solapi.template(template_id))
    except Refused as error:
        if not error.own or error.status not in (400, 404, 422):
            return Unsendable(TEMPLATE_NOT_READABLE)
        template = None
    except SolapiError:
        return Unsendable(TEMPLATE_NOT_READABLE)
    except Unsendable as error:
        return error
    finally:
        await solapi.aclose()
    if len(_kept) > 1_000:
        _kept.clear()
    _kept[template_id] = (time.monotonic() + KEPT_SECONDS, template)
    return template

"""What operators do on the console: queues, schedules, academies, their accounts, credit and keys."""

from typing import Any

import httpx
import pytest

from api import fleet
from api.auth.service_keys import KnownKey, ServiceKeys
from contracts.names import TaskQueue
from contracts.rights import Right
from devstack.stack import Stack
from tests import signed_in
from tests.api.conftest import Caller
from tests.api.test_access import newest, since
from tests.api.test_console import console
from tests.lab import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
OURS = {"Origin": "http://console", "Accept-Language": "en"}
PRICES = {"price_sms": 20, "price_lms": 50, "price_mms": 120, "price_ata": 15}


async def waiting(academy: Caller) -> fleet.Waiting:
    return await fleet.waiting(academy.lab.temporal, TaskQueue.EXTERNAL, "activity")


async def test_a_queue_is_paused_and_resumed(academy: Caller, stack: Stack) -> None:
    """By the console; `ops`, without which nothing heals, is not."""
    before = await newest(academy)

    async def paused() -> bool:
        return (await waiting(academy)).paused

    async with console(academy.lab, stack, academy.tenant) as http:
        for wanted, word in ((True, "Resume"), (False, "Pause")):
            form = {"queue": "external", "paused": str(wanted).lower()}
            answer = await http.post("/console/fleet/queues", data=form, headers=OURS)
            assert answer.status_code == 303
            await eventually(lambda now=wanted: _equal(paused, now))
            page = (await http.get("/console/fleet", headers=OURS)).text
            assert f'>{word}<span class="hidden"> external<' in page
        form = {"queue": "ops", "paused": "true"}
        assert (await http.post("/console/fleet/queues", data=form, headers=OURS)).status_code == 404
        assert "> ops</span></button>" not in page
    recorded = [(each.about, each.status) for each in await since(academy, before) if each.about]
    assert recorded[:2] == [
        ({"queue": "external", "act": "pause"}, 303),
        ({"queue": "external", "act": "resume"}, 303),
    ]


async def test_a_schedule_is_paused_and_resumed(academy: Caller, stack: Stack) -> None:
    handle = academy.lab.temporal.get_schedule_handle("sweep")

    async def paused() -> bool:
        return (await handle.describe()).schedule.state.paused

    async with console(academy.lab, stack, academy.tenant) as http:
        for act, wanted in (("pause", True), ("resume", False)):
            form = {"schedule": "sweep", "act": act}
            assert (await http.post("/console/fleet/schedules", data=form, headers=OURS)).status_code == 303
            assert await paused() is wanted
        form = {"schedule": "no-such", "act": "run"}
        assert (await http.post("/console/fleet/schedules", data=form, headers=OURS)).status_code == 404
        assert "Looking at open jobs" in (await http.get("/console/fleet", headers=OURS)).text


async def test_an_academy_has_its_account_credit_and_keys_on_one_page(academy: Caller, stack: Stack) -> None:
    tenant, known = academy.tenant, ServiceKeys(academy.lab.engine, 0.0)
    account, credit = (f"/tenants/{tenant}/{name}/" for name in ("messaging-account", "credit"))
    operator = academy.staff(None)
    assert await academy.refused("PATCH", account, 422, {"sender": None}, **operator) == "invalid"
    numbers = {"sender": "0212345678", "sender_numbers": ["0212345678"]}
    for change in (PRICES | numbers, {"daily_cap": 900}):
        assert (await academy.ask("PATCH", account, change, **operator)).status_code == 200
    await academy.post(credit, {"amount": 5000, "reference": "2026-11 입금"}, 201, **operator)
    async with console(academy.lab, stack, tenant) as http:
        listed = (await http.get(f"/console/tenants?q={tenant}", headers=OURS)).text
        assert f'href="/console/tenants/{tenant}"' in listed and "5,000" in listed
        page = (await http.get(f"/console/tenants/{tenant}", headers=OURS)).text
        for shown in ("2026-11 입금", "0212345678", 'value="900"', 'value="20.00"'):
            assert shown in page, shown
        rights = {"rights": ["look", "send"]}
        made = await http.post(f"/console/tenants/{tenant}/keys", data=rights, headers=OURS)
        key = made.text.partition('tabindex="0">')[2].partition("<")[0]
        prefix, _, secret = key.partition(".")
        assert await known.find(prefix, secret) == KnownKey(tenant, frozenset({Right.LOOK, Right.SEND}))
        again = (await http.get(f"/console/tenants/{tenant}", headers=OURS)).text
        assert prefix in again and secret not in again, "its secret is shown once"
        gone = await http.post(f"/console/tenants/{tenant}/keys/revoke", data={"key": prefix}, headers=OURS)
        assert gone.status_code == 303 and await known.find(prefix, secret) is None
        nobody = await http.get("/console/tenants/999999999999", headers=OURS)
        assert nobody.status_code == 404


async def test_only_operators_see_academies(academy: Caller, stack: Stack) -> None:
    async with console(academy.lab, stack, academy.tenant) as http:
        http.cookies = httpx.Cookies(await signed_in.cookie(academy.lab, academy.tenant))
        for path in ("/console/tenants", f"/console/tenants/{academy.tenant}"):
            assert (await http.get(path, headers=OURS)).status_code == 404
        form: dict[str, Any] = {"rights": ["look"]}
        asked = await http.post(f"/console/tenants/{academy.tenant}/keys", data=form, headers=OURS)
        assert asked.status_code == 404


async def _equal(look: Any, wanted: bool) -> bool:
    return await look() is wanted

"""What was sent in a span, by month and day; and the lists of those who want nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from devstack.solapi.answers import Json, answer, invalid, iso, limit_of, moment_of
from devstack.solapi.carriers import DELIVERED, PRICES, TYPES, fate
from devstack.solapi.messages import Message
from devstack.solapi.provider import KST, Provider

router = APIRouter()


async def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


Here = Annotated[Provider, Depends(_provider)]


@router.get("/messages/v4/statistics")
async def statistics(request: Request, provider: Here) -> Response:
    now, query = provider.clock.now(), request.query_params
    try:
        since = moment_of(query["startDate"]) if "startDate" in query else 0.0
        until = moment_of(query["endDate"]) if "endDate" in query else now
    except ValueError as error:
        raise invalid("startDate, endDate") from error
    months: dict[str, dict[str, list[Message]]] = defaultdict(lambda: defaultdict(list))
    sent = [each for each in provider.ledger if since <= each.sent <= until]
    for each in sent:
        day = datetime.fromtimestamp(each.sent, KST)
        months[f"{day:%Y%m}"][f"{day:%Y%m%d}"].append(each)
    periods = [_month(month, days, now) for month, days in sorted(months.items())]
    spent = sum(period["balance"] for period in periods)
    whole = {"balance": spent, "point": 0, "monthlyPointAvg": 0, "monthPeriod": periods}
    return answer(whole | {"monthlyBalanceAvg": spent / max(len(periods), 1)} | _ends(sent, now))


@router.get("/iam/v1/black")
async def blacks(request: Request, provider: Here) -> Response:
    """Who has opted out by 080: those whose number says so, as far as somebody wrote to them."""
    told = {each.to: each for each in provider.messages.values() if fate(each.to).refused == "1061"}
    found = [
        {
            "handleKey": f"{each.sender}{each.to}",
            "type": "DENIAL",
            "senderNumber": each.sender,
            "recipientNumber": each.to,
            "dateCreated": iso(each.created),
            "dateUpdated": iso(each.created),
        }
        for each in told.values()
    ]
    return _list(request, "blackList", found)


@router.get("/iam/v1/block/groups")
async def block_groups(request: Request) -> Response:
    return _list(request, "blockGroups", [])


@router.get("/iam/v1/block/numbers")
async def block_numbers(request: Request) -> Response:
    return _list(request, "blockNumbers", [])


def _list(request: Request, name: str, found: list[Json]) -> Response:
    limit = limit_of(request)
    return answer({"startKey": None, "nextKey": None, "limit": limit, name: found[:limit]})


def _month(month: str, days: dict[str, list[Message]], now: float) -> Json:
    periods: list[Json] = [
        {
            "_id": day,
            "month": month,
            "date": day,
            "balance": sum(PRICES[each.type] for each in sent),
            "point": 0,
            "statusCode": _codes(sent, now),
            "refund": {"balance": 0, "point": 0},
        }
        | _ends(sent, now)
        for day, sent in sorted(days.items())
    ]
    spent = sum(period["balance"] for period in periods)
    everybody = [each for sent in days.values() for each in sent]
    totals = {"date": month, "balance": spent, "balanceAvg": spent / len(periods), "point": 0, "pointAvg": 0}
    return totals | {"dayPeriod": periods} | _ends(everybody, now)


def _codes(sent: Iterable[Message], now: float) -> Json:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in sent:
        step = each.at(now)
        found[step.code][step.type.lower()] += 1
    return dict(found)


def _ends(sent: Iterable[Message], now: float) -> Json:
    """Total, delivered and not, by type."""
    steps = [each.at(now) for each in sent]
    chosen = {
        "total": steps,
        "successed": [each for each in steps if each.code == DELIVERED],
        "failed": [each for each in steps if each.code not in (DELIVERED, "2000", "3000")],
    }
    ends: Json = {}
    for name, some in chosen.items():
        counted = Counter(each.type.lower() for each in some)
        ends[name] = {"total": len(some)} | {type.lower(): counted[type.lower()] for type in TYPES}
    return ends

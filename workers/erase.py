"""`python -m workers erase tenant 7`, `erase person 7`: what there is of a tenant or of one person, place by
place, as lines of JSON; with `--for-ever` it is erased, and the lines say what is left. May be begun again at
any point."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta

from clients import operators, progress, temporal
from clients.database.engine import create_engine
from clients.database.erasing import KEPT
from clients.keys import TenantKeys
from clients.operators import Act, Command, Operator, acting
from clients.queues import Queue
from clients.settings import Settings
from clients.stored_bodies import StoredBodies
from clients.uploads import UploadStore
from clients.vault import Vault
from intake.erasing import Place, Servers, TenantEraser
from intake.erasing_person import NoStudent, PersonEraser
from rules.messaging import phones
from rules.messaging.unsendable import Unsendable


async def open_servers(settings: Settings) -> Servers:
    engine = create_engine(settings, "erase")
    return Servers(
        engine=engine,
        temporal=await temporal.connect(settings, engine),
        redis=progress.connect(settings),
        store=UploadStore(settings),
        bodies=StoredBodies(settings),
        queues={name: Queue(settings, queue) for name, queue in settings.queue_names().items()},
        keys=TenantKeys(engine, Vault(settings.payload_keys.get_secret_value())),
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Servers]:
    servers = await open_servers(settings)
    try:
        yield servers
    finally:
        await servers.redis.aclose()
        await servers.engine.dispose()


async def run(
    settings: Settings, operator: Operator, tenant_id: int, for_ever: bool, patience: timedelta
) -> int:
    """Returns how much is left, of all places."""
    command = Command.ERASE_TENANT if for_ever else Command.LOOK_AT_TENANT
    async with opened(settings) as servers, acting(settings, operator, command, tenant_id) as act:
        eraser = TenantEraser(servers, tenant_id, patience)
        places = await (eraser.erase() if for_ever else eraser.look())
        summary = {"tenant": tenant_id, "erased": for_ever, "kept": KEPT if for_ever else {}}
        return tell(places, summary, act, for_ever)


async def run_person(
    settings: Settings,
    operator: Operator,
    tenant_id: int,
    student_id: int | None,
    phone: str | None,
    for_ever: bool,
) -> int:
    """Returns how much is left."""
    command = Command.ERASE_PERSON if for_ever else Command.LOOK_FOR_PERSON
    whom: dict[str, int | str] = {"student": student_id} if student_id else {"phone": _masked(phone or "")}
    async with opened(settings) as servers, acting(settings, operator, command, tenant_id, **whom) as act:
        eraser = PersonEraser(servers, tenant_id)
        try:
            person = await eraser.person(student_id, phone)
            places = await (eraser.erase(person) if for_ever else eraser.look(person))
            unknown = await eraser.not_searched()
        except (NoStudent, Unsendable) as error:
            act.status = operators.NOBODY
            raise SystemExit(f"nobody: {type(error).__name__}") from None
        return tell(places, {"tenant": tenant_id, "erased": for_ever, "not searched": unknown}, act, for_ever)


def _masked(phone: str) -> str:
    try:
        return phones.mask(phones.mobile(phone))
    except Unsendable:
        return "****"


def tell(places: Sequence[Place], summary: dict[str, object], act: Act, erased: bool) -> int:
    """A line for each place, and one for all; returns how much is left."""
    for each in places:
        sys.stdout.write(json.dumps(asdict(each)) + "\n")
    left = {each.place: each.left for each in places if each.left}
    sys.stdout.write(json.dumps(summary | {"left": left}) + "\n")
    if erased and left:
        act.status = operators.LEFT
        act.about["left"] = sum(left.values())
    return sum(left.values())


def main(settings: Settings, argv: list[str]) -> None:
    """Ends with 1 where something was to be erased and is left, and where anything would be erased."""
    parser = operators.parser("workers erase")
    kinds = parser.add_subparsers(dest="kind", required=True)
    tenant = kinds.add_parser("tenant", help="all of a tenant")
    tenant.add_argument("tenant", type=operators.number)
    tenant.add_argument("--for-ever", action="store_true", help="erase; else it only tells what there is")
    tenant.add_argument("--patience", type=int, default=60, help="seconds for workflows to end in order")
    person = kinds.add_parser("person", help="one person of a tenant; without --student, the phone is read")
    person.add_argument("tenant", type=operators.number)
    person.add_argument("--student", type=operators.number, help="by the id of their row")
    person.add_argument("--for-ever", action="store_true", help="erase; else it only tells what there is")
    arguments = parser.parse_args(argv)
    operator = operators.who(arguments)
    if arguments.kind == "person":
        # Not as an argument: those are seen by every user of the machine, and kept by shells.
        phone = None if arguments.student else sys.stdin.readline().strip()
        found = asyncio.run(
            run_person(settings, operator, arguments.tenant, arguments.student, phone, arguments.for_ever)
        )
        raise SystemExit(1 if found else 0)
    patience = timedelta(seconds=arguments.patience)
    left = asyncio.run(run(settings, operator, arguments.tenant, arguments.for_ever, patience))
    raise SystemExit(1 if left else 0)

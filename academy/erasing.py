"""`academy erase tenant 7`, `academy erase person 7`: what there is of a tenant or of one person, place by
place; with `--for-ever` it is erased, and the lines say what is left. May be begun again at any point."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated

import typer

from academy.shared import OPERATOR, Json, Tenant, checked, connected, group, run, show, show_each
from clients import operators, progress
from clients.database.engine import create_engine
from clients.database.erasing import KEPT
from clients.keys import TenantKeys
from clients.operators import Act, Command, Operator, acting
from clients.queues import Queue
from clients.settings import Settings, load
from clients.stored_bodies import StoredBodies
from clients.uploads import UploadStore
from clients.vault import Vault
from intake.erasing import Place, Servers, TenantEraser
from intake.erasing_person import NoStudent, PersonEraser
from rules.messaging import emails, phones
from rules.messaging.unsendable import Unsendable

erase = group("Erase a tenant or a person; without --for-ever it is only told what there is.")
ForEver = Annotated[bool, typer.Option("--for-ever", help="Erase it. There is no way back.")]


@dataclass(frozen=True)
class Found:
    """`about` it all, beside the places."""

    places: Sequence[Place]
    about: dict[str, object]

    @property
    def left(self) -> dict[str, int]:
        return {each.place: each.left for each in self.places if each.left}


async def open_servers(settings: Settings) -> Servers:
    engine = create_engine(settings, "erase")
    return Servers(
        engine=engine,
        temporal=await connected(settings, engine),
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


async def erase_tenant(
    settings: Settings, operator: Operator, tenant_id: int, *, for_ever: bool, patience: timedelta
) -> Found:
    """With `for_ever` it is gone then, but for what is left."""
    command = Command.ERASE_TENANT if for_ever else Command.LOOK_AT_TENANT
    async with opened(settings) as servers, acting(settings, operator, command, tenant_id) as act:
        eraser = TenantEraser(servers, tenant_id, patience)
        places = await (eraser.erase() if for_ever else eraser.look())
        about = {"tenant": tenant_id, "erased": for_ever, "kept": KEPT if for_ever else {}}
        return _noted(Found(places, about), act, for_ever)


async def erase_person(
    settings: Settings,
    operator: Operator,
    tenant_id: int,
    student_id: int | None,
    phone: str | None,
    *,
    for_ever: bool,
) -> Found:
    """One student, or whoever has a phone or an address. SystemExit where there is nobody."""
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
        about = {"tenant": tenant_id, "erased": for_ever, "not searched": unknown}
        return _noted(Found(places, about), act, for_ever)


@erase.command("tenant")
def tenant(
    tenant: Tenant,
    for_ever: ForEver = False,
    patience: Annotated[int, typer.Option(min=0, help="Seconds for workflows to end in order.")] = 60,
    as_json: Json = False,
) -> None:
    """Erase an academy from every place. It ends with 1 while anything is left."""
    wait = timedelta(seconds=patience)
    found = erase_tenant(load(), OPERATOR.get(), tenant, for_ever=for_ever, patience=wait)
    _tell(run(found), as_json)


@erase.command("person")
def person(
    tenant: Tenant,
    student: Annotated[
        int | None,
        typer.Option(parser=checked(operators.number), metavar="ID", help="By the id of their row."),
    ] = None,
    for_ever: ForEver = False,
    as_json: Json = False,
) -> None:
    """Erase one person of an academy: a student by --student, or whoever has the phone or e-mail's address
    that is typed next."""
    # Not as an argument: those are seen by every user of the machine, and kept by shells.
    phone = None if student else sys.stdin.readline().strip()
    _tell(run(erase_person(load(), OPERATOR.get(), tenant, student, phone, for_ever=for_ever)), as_json)


def _noted(found: Found, act: Act, erased: bool) -> Found:
    if erased and found.left:
        act.status = operators.LEFT
        act.about["left"] = sum(found.left.values())
    return found


def _tell(found: Found, as_json: bool) -> None:
    """Each place, then all; exit 1 where something is left, or there."""
    show_each([asdict(each) for each in found.places], as_json)
    show({**found.about, "left": found.left}, as_json)
    raise typer.Exit(1 if found.left else 0)


def _masked(phone: str) -> str:
    try:
        return emails.mask(emails.address(phone)) if "@" in phone else phones.mask(phones.mobile(phone))
    except Unsendable:
        return "****"

"""Students as their academy's people see them: opened, searched, in the order of their names."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncConnection

from api.problems import not_found, refused
from api.services import Services
from clients.database import classes, messaging, register, student_changes, students
from clients.database.classes import ClassRow
from clients.database.register import RegisterRow
from clients.keys import KeyDestroyed, NoKey, Sealer
from clients.people import open_student, seal_students
from clients.student_changes import Change, seal_changes
from clients.vault import VaultError
from rules.messaging import phones
from rules.messaging.unsendable import Unsendable
from rules.roster.identity import PHONES
from rules.roster.values import READ, Invalid

REQUIRED = ("name", "parent_phone")
Present = Literal["present", "left", "all"]


@dataclass(frozen=True, repr=False)
class Known:
    """A student whose values were opened, by `rules.roster.values.READ`. It prints none of them."""

    id: int
    values: Mapping[str, str]
    job_id: UUID | None
    left_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def order(self) -> tuple[str, int]:
        return self.values["name"].casefold(), self.id

    def masked(self, field: str) -> str | None:
        """A phone of the student's as lists may show it."""
        number = self.values.get(field)
        return phones.mask(number) if number else None


@dataclass(frozen=True)
class Found:
    """One page of a list. `total`: of all pages."""

    students: Sequence[Known]
    total: int
    more: int | None


@dataclass(frozen=True)
class Wanted:
    """`text` is part of a name, school or class, or of a phone's digits (four or more). `after`: the id of
    the last student of the page before."""

    text: str | None = None
    class_id: int | None = None
    present: Present = "present"
    after: int | None = None


async def listed(services: Services, tenant: int, wanted: Wanted, limit: int) -> Found:
    """A page by name. HTTPException 422 `cursor_gone` where the student that it begins after was erased.

    Names are sealed, so all of the academy's are opened for it, in a thread: no index could tell a part of
    one without telling it to whoever reads the database."""
    async with services.engine.connect() as connection:
        rows = await register.everybody(connection, tenant, wanted.class_id)
    if not rows:
        return Found((), 0, None)
    sealer = await _opener(services, tenant)
    return await asyncio.to_thread(_chosen, sealer, rows, wanted, limit) if sealer else Found((), 0, None)


async def some(services: Services, tenant: int, ids: Sequence[int]) -> list[Known]:
    """Those of the ids that the academy has, by name."""
    async with services.engine.connect() as connection:
        rows = await register.some(connection, tenant, ids)
    sealer = await _opener(services, tenant)
    return await asyncio.to_thread(_opened, sealer, rows) if sealer else []


async def one(services: Services, tenant: int, student_id: int) -> Known:
    """HTTPException 404."""
    async with services.engine.connect() as connection:
        row = await register.one(connection, tenant, student_id)
    sealer = await _opener(services, tenant)
    opened = _opened(sealer, [row]) if row and sealer else []
    if not opened:
        raise not_found("student")
    return opened[0]


async def add(services: Services, tenant: int, given: Mapping[str, str | None]) -> int:
    """The id of a new student. HTTPException 422 for values that are none, 409 for somebody who is known."""
    values = read(given)
    sealer = await services.keys.sealer(tenant)
    (sealed,) = seal_students(sealer, [values])
    async with services.engine.begin() as connection:
        await students.lock_roster(connection, tenant)
        await _require_nobody(connection, tenant, sealed.identity_mac, sealed.likeness_mac, None)
        return await register.add(connection, tenant, sealed)


async def change(
    services: Services, tenant: int, student_id: int, given: Mapping[str, str | None], who: str
) -> Known:
    """Write some values anew, or take them away (None, blank); the history says `who`. HTTPException as
    `add`, and 404."""
    read_anew = read(given)
    gone = given.keys() - read_anew.keys()
    sealer = await services.keys.sealer(tenant)
    async with services.engine.begin() as connection:
        await students.lock_roster(connection, tenant)
        row = await register.one(connection, tenant, student_id, lock=True)
        opened = _opened(sealer, [row]) if row else []
        if not opened:
            raise not_found("student")
        before = opened[0].values
        values = {name: each for name, each in before.items() if name not in gone} | read_anew
        (sealed,) = seal_students(sealer, [values])
        await _require_nobody(connection, tenant, sealed.identity_mac, sealed.likeness_mac, student_id)
        fields = {
            name: (before.get(name), values.get(name))
            for name in before.keys() | values.keys()
            if before.get(name) != values.get(name)
        }
        if fields:
            changes = seal_changes(sealer, [(student_id, Change(fields))])
            await student_changes.record(connection, tenant, changes, who=who)
        await register.change(connection, tenant, student_id, sealed)
    return await one(services, tenant, student_id)


def read(given: Mapping[str, str | None]) -> dict[str, str]:
    """Values as rosters have them; blank ones are none. HTTPException 422 with each field's code."""
    values: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, written in given.items():
        if written is None:
            if name in REQUIRED:
                wrong[name] = "REQUIRED"
            continue
        try:
            value = READ[name](written)
        except Invalid as error:
            wrong[name] = error.code
            continue
        if value:
            values[name] = value
        elif name in REQUIRED:
            wrong[name] = "REQUIRED"
    if wrong:
        detail = {"detail": f"Not valid: {', '.join(wrong)}.", "code": "invalid_student", "fields": wrong}
        raise HTTPException(422, detail)
    return values


async def opt_out(services: Services, tenant: int, student_id: int, field: str) -> str:
    """A phone of a student takes no advertising any more; the phone, masked. HTTPException 404 for no such
    student or phone."""
    number = (await one(services, tenant, student_id)).values.get(field)
    if not number:
        raise not_found("phone")
    mac = (await services.keys.sealer(tenant)).mac(number)
    async with services.engine.begin() as connection:
        await messaging.opt_out(connection, tenant, mac)
    return phones.mask(number)


async def known_class(connection: AsyncConnection, tenant: int, class_id: int) -> ClassRow:
    """HTTPException 404."""
    found = await classes.one_class(connection, tenant, class_id)
    if found is None:
        raise not_found("class")
    return found


async def hold(connection: AsyncConnection, tenant: int, ids: Sequence[int]) -> set[int]:
    """All of them, none of whom leaves until the transaction ends, after a roster that is being written.
    HTTPException 422 naming who is not there, or has left."""
    await students.lock_roster(connection, tenant)  # it locks students in another order
    present = await register.hold_present(connection, tenant, ids)
    if missing := sorted(set(ids) - present):
        detail = "Some of these are no students of yours, or have left."
        raise HTTPException(422, {"detail": detail, "code": "no_such_students", "student_ids": missing})
    return present


async def _require_nobody(
    connection: AsyncConnection, tenant: int, identity: bytes, likeness: bytes | None, but: int | None
) -> None:
    """HTTPException 409 where somebody else is already known by these."""
    same = await register.id_of(connection, tenant, identity)
    if same is not None and same != but:
        detail = "There is a student of this name and parent's phone."
        raise HTTPException(409, {"detail": detail, "code": "student_exists", "student_id": same})
    alike = await register.alike(connection, tenant, likeness)
    if alike is not None and alike != but:
        detail = "There is a student of this name and own phone: change that one's parent's phone instead."
        raise HTTPException(409, {"detail": detail, "code": "student_alike", "student_id": alike})


async def _opener(services: Services, tenant: int) -> Sealer | None:
    """None where the academy's key is gone or never was: then it has no students."""
    try:
        return await services.keys.opener(tenant)
    except (NoKey, KeyDestroyed):
        return None


def _opened(sealer: Sealer, rows: Sequence[RegisterRow]) -> list[Known]:
    made = []
    for row in rows:
        try:
            values = open_student(sealer, row)
        except VaultError:
            continue  # of a key that was destroyed before the present one
        made.append(Known(row.id, values, row.job_id, row.left_at, row.created_at, row.updated_at))
    return sorted(made, key=lambda each: each.order)


def _chosen(sealer: Sealer, rows: Sequence[RegisterRow], wanted: Wanted, limit: int) -> Found:
    everybody = _opened(sealer, rows)
    last = next((each.order for each in everybody if each.id == wanted.after), None)
    if wanted.after is not None and last is None:
        raise refused(422, "cursor_gone", "The list has changed: begin with its first page.")
    digits = _of_phone(wanted.text or "")
    found = [each for each in everybody if _is_wanted(each, wanted, digits)]
    following = [each for each in found if last is None or each.order > last]
    more = following[limit - 1].id if len(following) > limit else None
    return Found(following[:limit], len(found), more)


def _of_phone(text: str) -> str:
    """The digits to look for: of a whole number in any writing those that are stored."""
    try:
        return phones.mobile(text)
    except Unsendable:
        return phones.digits(text)


def _is_wanted(student: Known, wanted: Wanted, digits: str) -> bool:
    if wanted.present != "all" and (student.left_at is None) != (wanted.present == "present"):
        return False
    if not wanted.text:
        return True
    words = wanted.text.replace(" ", "").casefold()
    texts = (student.values.get(field, "") for field in ("name", "school", "class_name"))
    if any(words in text.replace(" ", "").casefold() for text in texts):
        return True
    numbers = (student.values.get(field, "") for field in PHONES)
    return len(digits) >= 4 and any(digits in number for number in numbers)

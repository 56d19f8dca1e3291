"""One person of a tenant is erased on request: a student, or whoever has a phone, or an e-mail's address.

What is sealed is opened to be found; the files that academies upload, and what was read in them, cannot be
searched for a person, and the command says how many there are.
"""

import asyncio
import re
from dataclasses import dataclass

from pydantic_core import from_json

from clients.database import erasing_person
from clients.database.erasing_person import Sent
from clients.keys import KeyDestroyed, NoKey, Sealer
from clients.queues import DeadLetter
from intake.erasing import Histories, Place, Servers, names_tenant
from rules.messaging import emails, phones

OPEN = "messages of jobs that have not ended"
STUDENTS = "students who name the phone"


@dataclass(frozen=True)
class Person:
    """`phone`: national digits, or the address of e-mails. Both of a student who has one."""

    student_id: int | None
    phone: str | None


class NoStudent(Exception):
    """The tenant has no student of this id."""


class PersonEraser:
    def __init__(self, servers: Servers, tenant_id: int) -> None:
        self._of = servers
        self._tenant = tenant_id
        self._histories = Histories(servers.temporal)
        self._lists = f"tenants/{tenant_id}/messages/"

    async def person(self, student_id: int | None, phone: str | None) -> Person:
        """Raises Unsendable for what is neither a mobile number nor an address, NoStudent."""
        if student_id is None:
            return Person(None, reached_at(phone or ""))
        found = dict(await self._students())
        if student_id not in found:
            raise NoStudent(str(student_id))
        own = found[student_id].get("student_phone")
        return Person(student_id, own or None)

    async def look(self, person: Person) -> list[Place]:
        return [Place(name, there, there) for name, there in (await self._counts(person)).items()]

    async def erase(self, person: Person) -> list[Place]:
        before = await self._counts(person)
        if person.phone:
            await self._forget_phone(person.phone)
        if person.student_id is not None:
            async with self._of.engine.begin() as connection:
                await erasing_person.erase_student(connection, self._tenant, person.student_id)
        after = await self._counts(person)
        return [Place(name, before.get(name, 0), after.get(name, 0)) for name in before | after]

    async def not_searched(self) -> dict[str, int]:
        """Files that may name the person, by folder."""
        found = await asyncio.to_thread(self._of.store.counted, f"tenants/{self._tenant}/")
        return {folder: count for folder, count in found.items() if not folder.startswith(self._lists)}

    async def _counts(self, person: Person) -> dict[str, int]:
        counts: dict[str, int] = {}
        if person.phone:
            sent = await self._sent(person.phone)
            counts |= {
                "messages": sum(each.finished for each in sent),
                OPEN: sum(not each.finished for each in sent),
                "lists of recipients": len(await asyncio.to_thread(self._lists_with, person.phone)),
                "dead letters": await asyncio.to_thread(self._letters, person.phone, False),
            }
            named = [each for each, values in await self._students() if person.phone in values.values()]
            counts[STUDENTS] = len([each for each in named if each != person.student_id])
        if person.student_id is not None:
            async with self._of.engine.connect() as connection:
                for table in erasing_person.of_students():
                    counts[f"rows of {table.name}"] = await erasing_person.count_student(
                        connection, table, self._tenant, person.student_id
                    )
        return counts

    async def _forget_phone(self, phone: str) -> None:
        """Histories first: the rows have their names."""
        ended = [each for each in await self._sent(phone) if each.finished]
        await self._histories.erase({each.workflow_id for each in ended})
        if ended:
            async with self._of.engine.begin() as connection:
                await erasing_person.forget_messages(connection, ended)
        await asyncio.to_thread(self._letters, phone, True)
        async with self._of.engine.connect() as connection:
            still_open = await erasing_person.open_messages(connection, self._tenant)
        if not still_open:  # else one of them may have to read its list
            for key in await asyncio.to_thread(self._lists_with, phone):
                await asyncio.to_thread(self._of.store.delete, key)

    async def _sealer(self) -> Sealer | None:
        try:
            return await self._of.keys.opener(self._tenant)
        except (NoKey, KeyDestroyed):  # then nothing of anybody can be found, or read
            return None

    async def _sent(self, phone: str) -> list[Sent]:
        sealer = await self._sealer()
        if sealer is None:
            return []
        async with self._of.engine.connect() as connection:
            return list(await erasing_person.sent_to(connection, self._tenant, sealer.mac(phone.lower())))

    async def _students(self) -> list[tuple[int, dict[str, str]]]:
        sealer = await self._sealer()
        if sealer is None:
            return []
        async with self._of.engine.connect() as connection:
            rows = await erasing_person.students(connection, self._tenant)
        return [(each.id, from_json(sealer.open(each.sealed, each.identity_mac))) for each in rows]

    def _lists_with(self, phone: str) -> list[str]:
        keys = [key for key, _ in self._of.store.list(self._lists)]
        return [
            key for key in keys if _written(phone).search(self._of.store.get(key).decode(errors="replace"))
        ]

    def _letters(self, phone: str, erase: bool) -> int:
        def names(letter: DeadLetter) -> bool:
            return names_tenant(letter.body, self._tenant) and bool(_written(phone).search(letter.body))

        return sum(queue.sift_dead(names, erase=erase) for queue in self._of.queues.values())


def reached_at(written: str) -> str:
    """A phone's national digits, or an address. Raises Unsendable."""
    return emails.address(written) if "@" in written else phones.mobile(written)


def _written(phone: str) -> re.Pattern[str]:
    """However people write it: a number with signs between, with +82, or without its zero; an address in
    capitals."""
    if "@" in phone:
        return re.compile(rf"(?<![\w.+-]){re.escape(phone)}(?![\w-])", re.IGNORECASE)
    return re.compile(r"[\s().‐‑‒–—−-]*".join(phone[1:]) + r"(?!\d)")

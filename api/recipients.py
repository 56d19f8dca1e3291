"""Recipients out of students: of a class, or by their ids; at their parents' or their own phones."""

from collections.abc import Iterator, Sequence
from typing import Literal, Self

from fastapi import HTTPException
from pydantic import ConfigDict, Field, model_validator

from api import students
from api.problems import not_found, refused
from api.schemas_students import Number
from api.services import Services
from api.students import Known, Wanted
from clients.database import classes
from contracts.base import Outside
from contracts.messaging import Draft, Recipient, SendRequest

MOST = 1_000  # as many as a body may name
MOST_CLASSES = 20
_PHONES = {
    "parent": ("parent_phone",),
    "parents": ("parent_phone", "other_parent_phone"),
    "student": ("student_phone",),
}
_VARIABLES = {"이름": "name", "학교": "school", "학년": "grade", "반": "class_name"}


class StudentsToTell(Outside):
    """A class, several, or students by their ids. `to`: the first parent's phone, both parents', or the
    student's own; who has no such phone is left out, and who is in several of the classes is told once. Texts
    may hold #{이름}, #{학교}, #{학년} and #{반}."""

    model_config = ConfigDict(extra="forbid")

    class_id: Number | None = None
    class_ids: list[Number] = Field(default=[], max_length=MOST_CLASSES)
    student_ids: list[Number] = Field(default=[], max_length=MOST)
    to: Literal["parent", "parents", "student"] = "parent"

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = (self.class_id is not None, bool(self.class_ids), bool(self.student_ids))
        if sum(given) != 1:
            raise ValueError("a class, classes or students")
        return self

    @property
    def classes(self) -> tuple[int, ...]:
        """What it is to, each once; none where students are named."""
        return (self.class_id,) if self.class_id is not None else tuple(dict.fromkeys(self.class_ids))


class MessagesWanted(SendRequest):
    """Recipients in the body, in an object, or out of `students`: one of the three."""

    students: StudentsToTell | None = None


async def filled(services: Services, tenant: int, wanted: MessagesWanted) -> SendRequest:
    """The request with the recipients that `students` stands for. HTTPException 404 for no such class, 422
    where students are unknown or have left, where nobody is left to tell, or more than a body may name."""
    asked = SendRequest.model_validate(wanted.model_dump(exclude={"students"}, exclude_unset=True))
    if wanted.students is None:
        return asked
    if asked.recipients or asked.recipients_key:
        raise refused(422, "invalid_recipients", "Give recipients, recipients_key or students, one of them.")
    if wanted.draft.mode == "email":
        raise refused(422, "no_addresses", "No student's e-mail address is known: give recipients.")
    found = await recipients(services, tenant, wanted.students, wanted.draft)
    if not found:
        raise refused(422, "no_phones", "None of these students has such a phone.")
    return asked.model_copy(update={"recipients": found})


async def recipients(
    services: Services, tenant: int, wanted: StudentsToTell, draft: Draft
) -> tuple[Recipient, ...]:
    """In the order of names; their ids are the students'. HTTPException as `filled`."""
    found = tuple(_each(await _chosen(services, tenant, wanted), wanted, draft))
    if len(found) > MOST:
        raise refused(422, "too_many_recipients", f"These are more than {MOST} phones.")
    return found


async def _chosen(services: Services, tenant: int, wanted: StudentsToTell) -> Sequence[Known]:
    if wanted.classes:
        found: dict[int, Known] = {}
        for class_id in wanted.classes:
            async with services.engine.connect() as connection:
                if await classes.one_class(connection, tenant, class_id) is None:
                    raise not_found("class")
            mine = await students.listed(services, tenant, Wanted(class_id=class_id), MOST + 1)
            found |= {each.id: each for each in mine.students}
        return list(found.values())
    known = [each for each in await students.some(services, tenant, wanted.student_ids) if not each.left_at]
    if missing := sorted(set(wanted.student_ids) - {each.id for each in known}):
        detail = "Some of these are no students of yours, or have left."
        raise HTTPException(422, {"detail": detail, "code": "no_such_students", "student_ids": missing})
    return known


def _each(chosen: Sequence[Known], wanted: StudentsToTell, draft: Draft) -> Iterator[Recipient]:
    texts = f"{draft.text}{draft.subject or ''}"
    # What no text asks for would be told of as unused. What a template asks for is known to who sends it.
    elsewhere = draft.template_id or draft.text_template
    names = [name for name in _VARIABLES if elsewhere or f"#{{{name}}}" in texts]
    for student in chosen:
        values = {name: student.values.get(_VARIABLES[name]) for name in names}
        given = {name: value for name, value in values.items() if value}
        for phone in dict.fromkeys(student.values.get(field) for field in _PHONES[wanted.to]):
            if phone:
                yield Recipient(id=str(student.id), to=phone, variables=given)

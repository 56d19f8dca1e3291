"""What lists are searched by: words, a type, a day, an academy, a code; in their address, so that a link
keeps it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from clients.database.job_lists import JobsWanted
from clients.database.listings import LecturesWanted
from contracts.base import is_storable
from contracts.catalog import CATALOG
from rules.quiet_hours import KST


def _filled(value: object) -> object:
    """A form sends its empty fields, too. Raises ValueError for what no row can hold."""
    if isinstance(value, str) and not is_storable(value):
        raise ValueError("a character that cannot be stored")
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value) if value.strip() else None
    return value


_Maybe = BeforeValidator(_filled)
Words = Annotated[Annotated[str, Field(max_length=100)] | None, _Maybe]
Name = Annotated[Annotated[str, Field(max_length=64)] | None, _Maybe]
Day = Annotated[Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))] | None, _Maybe]
Seq = Annotated[Annotated[int, Field(gt=0, lt=2**63)] | None, _Maybe]
_OF_EVERY_LIST = {"before", "after", "show"}


class Search(BaseModel):
    """Fields of a list's address. `q` are words, `day` one of Korea's, `before` begins the next page."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    q: Words = None
    day: Day = None
    before: Seq = None

    def address(self, **changes: object) -> str:
        """`?…` for the same search with changes; from its first page, unless they say otherwise."""
        fields = self.model_dump(mode="json", exclude_defaults=True) | {"before": None} | changes
        return "?" + urlencode({name: value for name, value in fields.items() if value is not None})

    @property
    def narrowed(self) -> bool:
        """Whether something is looked for."""
        fields = type(self).model_fields.items()
        return any(
            getattr(self, name) != field.default for name, field in fields if name not in _OF_EVERY_LIST
        )

    def wanted(self, types: Sequence[str] = ()) -> JobsWanted:
        """For the database, of these types of jobs (none: all)."""
        return JobsWanted(before=self.before, types=types, since=self.since, until=self.until, text=self.q)

    @property
    def since(self) -> datetime | None:
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=KST) if self.day else None

    @property
    def until(self) -> datetime | None:
        return self.since + timedelta(days=1) if self.since else None


class JobSearch(Search):
    """`tenant` is looked at for operators only."""

    show: Literal["open", "failed", "finished", "all"] = "open"
    type: Name = None
    tenant: Seq = None
    code: Name = None

    def wanted(self, types: Sequence[str] = ()) -> JobsWanted:
        asked = super().wanted((self.type,) if self.type else types)
        return replace(asked, show=self.show, code=self.code.upper() if self.code else None)


class LectureSearch(Search):
    state: Annotated[Literal["ready", "working", "failed", "new"] | None, _Maybe] = None

    @property
    def lectures(self) -> LecturesWanted:
        return LecturesWanted(
            before=self.before, since=self.since, until=self.until, text=self.q, state=self.state
        )


class TextSearch(Search):
    """`show`: both with their first, or more of one."""

    show: Annotated[Literal["all", "lectures", "documents"], _Maybe] = "all"


TYPES = tuple(CATALOG)


class StudentSearch(Search):
    """`after`: the student at the end of the page before."""

    class_id: Seq = None
    state: Annotated[Literal["present", "left", "all"], _Maybe] = "present"
    after: Seq = None

"""What changed of a student, sealed as its table holds it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic_core import from_json, to_json

from clients.keys import Sealer

LEFT_AT = "left_at"  # beside the fields of rosters: a roster takes back who had left

Fields = Mapping[str, tuple[str | None, str | None]]
"""Field → what it was and what it became; None: nothing."""


class Change(NamedTuple):
    """`sheet` and `row` of the roster that says so; empty and 0 where somebody has changed it by hand."""

    fields: Fields
    sheet: str = ""
    row: int = 0


def seal_changes(sealer: Sealer, many: Sequence[tuple[int, Change]]) -> list[tuple[int, bytes]]:
    """Of students by their ids."""
    sealed = sealer.seal_all([(to_json(change._asdict()), _bound_to(of)) for of, change in many])
    return [(of, data) for (of, _), data in zip(many, sealed, strict=True)]


def open_change(sealer: Sealer, student_id: int, sealed: bytes) -> Change:
    """Raises KeyDestroyed, VaultError."""
    found = from_json(sealer.open(sealed, _bound_to(student_id)))
    fields = {name: (before, after) for name, (before, after) in found["fields"].items()}
    return Change(fields, found["sheet"], found["row"])


def _bound_to(student_id: int) -> bytes:
    return b"change of student %d" % student_id

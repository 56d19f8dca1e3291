"""Students, sealed as their table holds them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic_core import from_json, to_json

from clients.database.students import SealedStudent
from clients.keys import Sealer
from rules.roster.identity import identity, soft_match


def seal_students(sealer: Sealer, many: Sequence[Mapping[str, str]]) -> list[SealedStudent]:
    """Each student's values, sealed."""
    macs = [identity_mac(sealer, values) for values in many]
    likes = [soft_match(values) for values in many]
    sealed = sealer.seal_all([(to_json(values), mac) for values, mac in zip(many, macs, strict=True)])
    return [
        SealedStudent(mac, sealer.mac("likeness\n" + "\n".join(like)) if like else None, data)
        for mac, like, data in zip(macs, likes, sealed, strict=True)
    ]


def identity_mac(sealer: Sealer, values: Mapping[str, str]) -> bytes:
    return sealer.mac("identity\n" + "\n".join(identity(values)))


class SealedRow(Protocol):
    """A row of `students`, whatever else was read of it."""

    @property
    def identity_mac(self) -> bytes: ...
    @property
    def sealed(self) -> bytes: ...


def open_student(sealer: Sealer, row: SealedRow) -> dict[str, str]:
    """Values by `rules.roster.values.READ`. Raises KeyDestroyed, VaultError."""
    values: dict[str, str] = from_json(sealer.open(row.sealed, row.identity_mac))
    return values

"""Students and staff, sealed as the tables hold them."""

from collections.abc import Mapping, Sequence

from pydantic_core import from_json, to_json

from clients.database.academy import HoursRow, SealedStudent, StudentRow
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


def open_student(sealer: Sealer, row: StudentRow) -> dict[str, str]:
    """Values by `FIELDS`. Raises KeyDestroyed, VaultError."""
    values: dict[str, str] = from_json(sealer.open(row.sealed, row.identity_mac))
    return values


def seal_staff_name(sealer: Sealer, staff_id: int, name: str) -> bytes:
    return sealer.seal(name.encode(), b"staff:%d" % staff_id)


def open_staff_name(sealer: Sealer, row: HoursRow) -> str:
    """Raises KeyDestroyed, VaultError."""
    return sealer.open(row.sealed, b"staff:%d" % row.id).decode()

"""Names of staff, sealed as the tables hold them."""

from clients.database.academy import HoursRow
from clients.keys import Sealer


def seal_staff_name(sealer: Sealer, staff_id: int, name: str) -> bytes:
    return sealer.seal(name.encode(), b"staff:%d" % staff_id)


def open_staff_name(sealer: Sealer, row: HoursRow) -> str:
    """Raises KeyDestroyed, VaultError."""
    return sealer.open(row.sealed, b"staff:%d" % row.id).decode()

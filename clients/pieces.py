"""Pieces of texts as an index has them: hashes by the tenant's key, which say nothing without it."""

from collections.abc import Iterable

from clients.keys import Sealer

_BYTES = (
    4  # of two pieces the same hash, once in four thousand million: what is found is read before it is shown
)


def blinded(sealer: Sealer, pieces: Iterable[str]) -> set[int]:
    """Numbers as Postgres has them, of four bytes with a sign."""
    return {int.from_bytes(sealer.mac(f"piece\n{piece}")[:_BYTES], signed=True) for piece in pieces}

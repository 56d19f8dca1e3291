"""What staff of a tenant may do. A token or a provider names them in `roles`."""

from enum import StrEnum


class Right(StrEnum):
    """LOOK: see jobs, lectures and results. SEND: upload, start and stop work, send texts. PAY: credit and
    prices. MANAGE: what changes or removes people and lectures, addresses of callbacks, the audit."""

    LOOK = "look"
    SEND = "send"
    PAY = "pay"
    MANAGE = "manage"


EVERYTHING = frozenset(Right)


def rights_of(words: str) -> frozenset[Right]:
    """Of words between commas. Raises ValueError for one that is none."""
    return frozenset(Right(each.strip()) for each in words.split(",") if each.strip())

"""The table of moves: no other is made, and none stands in it that nobody makes."""

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from clients.database import messaging_groups
from contracts.messaging import GroupRef
from rules.messaging.groups import (
    BINDING,
    CANCELLED,
    COMMITTED,
    HANDED_OVER,
    MOVES,
    OPEN,
    OPEN_STATES,
    UNFINISHED,
    ForbiddenMove,
    GroupState,
)

ROOT = Path(__file__).parents[2]
ALLOWED = {(old, new) for old, news in MOVES.items() for new in news}
GROUP = GroupRef(job_id=uuid4(), tenant_id=1, chunk=0, group_id="G")
NOBODY: Any = cast(Any, None)  # a connection that nobody may ask


@pytest.mark.parametrize(("old", "new"), sorted(set(product(GroupState, repeat=2)) - ALLOWED))
async def test_a_move_that_is_not_in_the_table_is_refused_before_any_sql(
    old: GroupState, new: GroupState
) -> None:
    with pytest.raises(ForbiddenMove, match=f"{old} does not become {new}"):
        await messaging_groups.move(NOBODY, GROUP, old, new)


def written_moves() -> Iterator[tuple[GroupState, GroupState]]:
    """Those whose two states stand in a call of `messaging_groups.move`."""
    for path in (ROOT / "activities" / "messaging").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="move"),
                    args=[_, _, ast.Attribute(attr=old), ast.Attribute(attr=new)],
                ) if old.isupper():
                    yield GroupState[old], GroupState[new]


def test_the_table_has_what_the_code_does_and_no_more() -> None:
    stop = {(old, CANCELLED) for old in OPEN_STATES}
    withdraw = {(old, CANCELLED) for old in (COMMITTED, OPEN)}
    assert {*written_moves()} | stop | withdraw == ALLOWED


def test_a_group_that_may_have_been_sent_never_becomes_one_that_was_not() -> None:
    """But for what the provider proves of one that is committed."""
    assert BINDING == UNFINISHED | HANDED_OVER
    for old in HANDED_OVER:
        assert MOVES[old] <= HANDED_OVER
    assert set(GroupState) == OPEN_STATES | BINDING | {CANCELLED}
    assert MOVES[CANCELLED] == frozenset()

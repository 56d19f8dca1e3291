"""Defences and the tests that are red without them: `make defences` takes each one out of a copy and looks.

The table says where a defence stands, what is written in its place, and the cheapest test that shows the
fault. `docs/guarantees.md` names the entries in its table of fault kinds.
"""

from typing import NamedTuple


class Defence(NamedTuple):
    """`stands` is found exactly once in `file`; `test` is red when `without` is written in its place."""

    name: str
    file: str
    stands: str
    without: str
    test: str

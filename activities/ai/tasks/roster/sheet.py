"""One sheet of a roster, from whatever file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rules.roster.values import Cell

Range = tuple[tuple[int, int], tuple[int, int]]
Place = tuple[int, int]  # row and column in `Sheet.cells`


@dataclass(frozen=True)
class Sheet:
    """Cells from row `first_row` (from 0) of the sheet on; `merged` are (row, column) corners in `cells`,
    both included. `doubts`: rows that nobody is taken from, with the code that says why. `unvalued`: cells
    with a formula whose value is not in the file. `hidden_columns` count from 0 in `cells`."""

    name: str
    first_row: int
    cells: list[list[Cell]]
    merged: tuple[Range, ...] = ()
    doubts: Mapping[int, str] = field(default_factory=dict)
    unvalued: Collection[Place] = ()
    hidden_columns: Sequence[int] = ()

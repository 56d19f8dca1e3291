"""The order in which a page is read: columns one after the other, what crosses them in between. Pure."""

from collections.abc import Sequence

Box = tuple[int, int, int, int]

GUTTER = 0.03  # of the width on each side of the middle: what reaches over it belongs to both columns
FEW = 0.15  # of the lines may cross the middle of a page in two columns
CELLS = 1.5  # boxes in a row of a half: more are the cells of a table, which is read across
SAME_LINE = 0.5  # of the lower height: boxes that overlap by this much stand beside each other


def reading_order(boxes: Sequence[Box], width: int) -> list[int]:
    """Indices of `boxes` (left, top, right, bottom) as a person would read them."""
    middle = width / 2
    crossing = [
        index
        for index, (left, _, right, _) in enumerate(boxes)
        if left < middle - GUTTER * width and right > middle + GUTTER * width
    ]
    beside = {index for index in range(len(boxes)) if index not in set(crossing)}
    left_side = [index for index in beside if (boxes[index][0] + boxes[index][2]) / 2 < middle]
    right_side = [index for index in beside if index not in set(left_side)]
    two_columns = (
        len(crossing) <= FEW * len(boxes)
        and min(len(left_side), len(right_side)) >= 3
        and all(len(side) < CELLS * len(_rows(boxes, side)) for side in (left_side, right_side))
    )
    if not two_columns:
        return _by_rows(boxes, range(len(boxes)))
    order: list[int] = []
    bands = sorted(crossing, key=lambda index: boxes[index][1])
    top = float("-inf")
    for index in [*bands, None]:
        bottom = boxes[index][1] if index is not None else float("inf")
        for side in (left_side, right_side):
            order += _by_rows(boxes, [each for each in side if top <= _middle(boxes[each]) < bottom])
        if index is not None:
            order.append(index)
            top = bottom
    return order


def _by_rows(boxes: Sequence[Box], indices: Sequence[int]) -> list[int]:
    rows = _rows(boxes, indices)
    return [index for row in rows for index in sorted(row, key=lambda each: boxes[each][0])]


def _rows(boxes: Sequence[Box], indices: Sequence[int]) -> list[list[int]]:
    rows: list[list[int]] = []
    for index in sorted(indices, key=lambda each: boxes[each][1]):
        if rows and overlap(boxes[rows[-1][0]], boxes[index]) > SAME_LINE:
            rows[-1].append(index)
        else:
            rows.append([index])
    return rows


def overlap(first: Box, second: Box) -> float:
    """Of the lower one's height, shared by both."""
    shared = min(first[3], second[3]) - max(first[1], second[1])
    return shared / max(1, min(first[3] - first[1], second[3] - second[1]))


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2

"""Answer sheets and rosters."""

from tests.defences import Defence

_COVERED = "tests/unit/test_omr_covered.py"
_ODD = "tests/unit/test_roster_odd.py::test_nobody_is_lost_and_nobody_gets_anothers"

MARKS = (
    Defence(
        "row-below-glare",
        "activities/ai/tasks/omr/printed.py",
        "    return [is_seen(bubble) for bubble in bubbles]",
        "    return [is_seen(bubble) or True for bubble in bubbles]",
        f"{_COVERED}::test_rows_below_something_are_unreadable_and_the_others_are_read[glare]",
    ),
    Defence(
        "folded-answer-sheet",
        "activities/ai/tasks/omr/anchors.py",
        "        if found[nearest] is not None or max(map(abs, moved)) > _REACH:\n            return unknown",
        "        if found[nearest] is not None or max(map(abs, moved)) > _REACH:\n            continue",
        f"{_COVERED}::test_paper_that_is_folded_or_slips_in_the_scanner_mixes_no_rows[-16]",
    ),
    Defence(
        "lines-that-jump",
        "activities/ai/tasks/omr/anchors.py",
        "        if abs(next_down - down) > _UNEVEN[0] + _UNEVEN[1] * (next_y - y):",
        "        if False:",
        f"{_COVERED}::test_paper_that_is_folded_or_slips_in_the_scanner_mixes_no_rows[-11]",
    ),
    Defence(
        "column-off-by-a-line",
        "activities/ai/tasks/omr/anchors.py",
        "    if None in (found[0], found[-1]) and any(abs(down) > _SHIFTED for _, down in there):",
        "    if False:",
        f"{_COVERED}::test_a_column_that_is_off_by_a_line_is_not_located",
    ),
    Defence(
        "sheet-with-its-face-down",
        "activities/ai/tasks/omr/pile.py",
        "    return [page for page, is_empty in empty.items() if is_empty]",
        "    return []",
        "tests/unit/test_omr_task.py::test_an_empty_page_that_is_no_back_is_told",
    ),
    Defence(
        "key-under-another-name",
        "activities/ai/tasks/omr/grading.py",
        "    if field := field_like_a_key(parameters):",
        "    if False and (field := field_like_a_key(parameters)):",
        "tests/unit/test_omr_grading.py::test_a_key_under_another_name_is_refused",
    ),
    Defence(
        "number-of-another-family",
        "rules/roster/identity.py",
        "    found = {number for number, names in families.items() if len(names) > _FAMILIES}",
        "    found = set[str]()",
        f"{_ODD}[a number that was copied down]",
    ),
    Defence(
        "row-in-one-cell",
        "activities/ai/tasks/roster/parse.py",
        "if number not in banners and _is_row_in_a_cell(cells, len(readers)):",
        "if False:",
        f"{_ODD}[a row of tabs among commas]",
    ),
    Defence(
        "hidden-column",
        "activities/ai/tasks/roster/parse.py",
        "hidden = _blanked(sheet) if sheet.hidden_columns else ()",
        "hidden: tuple[str, ...] = ()",
        f"{_ODD}[a hidden column of numbers]",
    ),
)

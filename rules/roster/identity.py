"""Who a student is. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

PHONES = ("parent_phone", "other_parent_phone", "student_phone")
_FAMILIES = 2  # names that one parent's children may have


def identity(values: Mapping[str, str]) -> tuple[str, str]:
    """The name without spaces, and the parent's phone: the same student, in whatever file."""
    return values["name"].replace(" ", "").casefold(), values["parent_phone"]


def soft_match(values: Mapping[str, str]) -> tuple[str, str] | None:
    """Two of the same name and own phone are the same student too, whoever the parent's phone belongs to."""
    own = values.get("student_phone")
    return (identity(values)[0], own) if own else None


def numbers_of_others(students: Sequence[Mapping[str, str]]) -> set[str]:
    """Numbers that cannot be right in all places of a file: a parent's that stands with children of more
    than two family names (a cell that was copied down), and a student's own that is the parent's of somebody
    else."""
    parents = Counter([values["parent_phone"] for values in students])
    others = {values["other_parent_phone"] for values in students if "other_parent_phone" in values}
    families: dict[str, set[str]] = defaultdict(set)  # of numbers that stand there several times
    if len(parents) < len(students):
        for values in students:
            if parents[values["parent_phone"]] > _FAMILIES:
                families[values["parent_phone"]].add(values["name"][:1])
    found = {number for number, names in families.items() if len(names) > _FAMILIES}
    owned: dict[str, set[str]] = defaultdict(set)  # of own numbers that are parents' too, their families
    for values in students:
        if (own := values.get("student_phone")) and (own in parents or own in others):
            owned[own] |= _parents(values)
    if owned:
        for values in students:
            family = _parents(values)
            found |= {own for own in family & owned.keys() if not family & owned[own]}
    return found


def _parents(values: Mapping[str, str]) -> set[str]:
    return {values[field] for field in ("parent_phone", "other_parent_phone") if field in values}

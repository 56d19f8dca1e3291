"""Who a student is. Pure."""

from collections.abc import Mapping


def identity(values: Mapping[str, str]) -> tuple[str, str]:
    """The name without spaces, and the parent's phone: the same student, in whatever file."""
    return values["name"].replace(" ", "").casefold(), values["parent_phone"]


def soft_match(values: Mapping[str, str]) -> tuple[str, str] | None:
    """Two of the same name and own phone are the same student too, whoever the parent's phone belongs to."""
    own = values.get("student_phone")
    return (identity(values)[0], own) if own else None

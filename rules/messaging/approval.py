"""Whether a message waits until a second person of the academy agrees to it. Pure."""

PERSON = "staff "  # how the audit's name of a caller begins who is a person


def is_person(caller: str | None) -> bool:
    """Whether somebody signed in, rather than a system by its key or a queue."""
    return caller is not None and caller.startswith(PERSON)


def needs_approval(recipients: int, asked_by: str | None, *, above: int | None, of_systems: bool) -> bool:
    """By the tenant's terms: `above` how many recipients (None: never), and whether that goes for systems
    too."""
    return above is not None and recipients > above and (of_systems or is_person(asked_by))

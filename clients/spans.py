"""What is measured of a piece of work in a trace, as those who do it see it."""

Value = str | int | float | bool


class Span:
    """What is measured now, to add what is known later; nothing where nobody traces."""

    def add(self, **values: Value | None) -> None: ...

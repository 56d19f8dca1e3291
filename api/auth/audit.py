"""What is recorded of a request: routes add whose data it was, `api.middleware.audited` writes it down.

Numbers and names of ours only. A person is a student's number, or a phone with its middle hidden.
"""

from dataclasses import dataclass, field

from fastapi import Request

from api.auth.operations import Operation

About = dict[str, str | int]


@dataclass
class Trail:
    """What is known so far. `operation` is None until somebody was let in as far as the operation's door."""

    name: str = ""
    operation: Operation | None = None
    caller: str = ""
    tenants: list[int | None] = field(default_factory=list)
    about: About = field(default_factory=dict)
    nothing_shown: bool = False


def trail_of(request: Request) -> Trail:
    found: Trail | None = getattr(request.state, "trail", None)
    if found is None:
        found = request.state.trail = Trail()
    return found


def by(request: Request, caller: str, tenant_id: int | None) -> None:
    """Who it is, where that is only known now: of those who sign in or out."""
    trail = trail_of(request)
    trail.caller = caller
    trail.tenants = [tenant_id]


def of_tenant(request: Request, tenant_id: int | None) -> None:
    """Whose data it is, where that is not who asks: an operator looks at a tenant's."""
    trail = trail_of(request)
    if tenant_id not in trail.tenants:
        trail.tenants = [*(each for each in trail.tenants if each is not None), tenant_id]


def about(request: Request, **what: str | int) -> None:
    """On whose data, beside what the path says."""
    trail_of(request).about.update(what)


def nothing_shown(request: Request) -> None:
    """This answer has nothing of persons, though others of its operation do."""
    trail_of(request).nothing_shown = True

"""Whether who asks may do what is asked, for every operation: one dependency of both applications.

The tenant is not its business: another's objects are not found (`api.auth.callers`). Nor is who somebody is:
routes find that out before they read a body (`api.routing.first`), and this refuses what they have not.
"""

import time

from fastapi import Request

from api.auth import audit
from api.auth.callers import TENANT_ID, Caller, caller_for, known_caller
from api.auth.operations import JOB_TYPES, OPERATIONS, Operation
from api.auth.staff import known_staff, unknown
from api.problems import refused
from api.services import get_services
from contracts.rights import Right

AGAIN = "sign_in_again"


def operation_of(request: Request) -> str:
    """`GET /console/jobs/{job_id}` of the route that was taken."""
    method = "GET" if request.method == "HEAD" else request.method
    root = request.scope.get("root_path", "")
    return f"{method} {root}{getattr(request.scope.get('route'), 'path', '')}"


async def admitted(request: Request) -> None:
    """HTTPException 403 without the operation's right, or `sign_in_again` for who must show again who they
    are; 401 for nobody. An operation without an entry is nobody's."""
    operation = OPERATIONS.get(operation_of(request))
    if operation is None:
        raise refused(403, "not_allowed", "Nobody may do this.")
    trail = audit.trail_of(request)
    trail.name, trail.operation = operation_of(request), operation
    if operation.right is not None:
        caller = who(request)
        audit.by(request, caller.name, _named_tenant(request) or caller.tenant_id)
        _require(request, operation, operation.right)


def may_start(request: Request, job_type: str) -> None:
    """What a job of this type needs besides the operation. HTTPException as `admitted`."""
    if operation := JOB_TYPES.get(job_type):
        assert operation.right is not None
        _require(request, operation, operation.right)


def is_recent(request: Request, caller: Caller) -> bool:
    """Whether a person has shown lately who they are. Systems show it each time."""
    if caller.authenticated_at is None:
        return True
    longest = get_services(request).settings.staff_recent_seconds
    return time.time() - caller.authenticated_at <= longest


def require_recent(request: Request) -> None:
    """For what shows many people at once. HTTPException 403 `sign_in_again`, 401 for nobody."""
    if not is_recent(request, who(request)):
        raise refused(403, AGAIN, "Sign in once more: this needs to know that it is you.")


def who(request: Request) -> Caller:
    """Whoever was found to ask. HTTPException 401 for nobody."""
    caller = known_caller(request)
    if caller is None and (staff := known_staff(request)):
        caller = caller_for(staff)
    if caller is None:
        raise unknown()
    return caller


def _named_tenant(request: Request) -> int | None:
    """That of a path which operators ask."""
    named = str(request.path_params.get("tenant_id", ""))
    return int(named) if TENANT_ID.fullmatch(named) else None


def _require(request: Request, operation: Operation, right: Right) -> None:
    if right not in who(request).rights:
        raise refused(403, "not_allowed", f"This needs the right: {right}.")
    if operation.again:
        require_recent(request)

"""What who is signed in may do: a page offers a button only where it can work.

One table says what is allowed, `api.auth.operations`.
"""

from api.auth.operations import JOB_TYPES, OPERATIONS
from api.auth.people import Staff


def may(staff: Staff | None, operation: str, job_type: str = "") -> bool:
    """Whether they have the right to an operation, on a job of this type where it is about one."""
    if staff is None:
        return False
    needed = [OPERATIONS[operation].right]
    if job_type in JOB_TYPES:
        needed.append(JOB_TYPES[job_type].right)
    return all(right is None or right in staff.rights for right in needed)


def acts_for(staff: Staff | None, tenant: int | None) -> bool:
    """Whether they can ask something for a tenant: their own, or as an operator without one any."""
    if staff is None or tenant is None:
        return False
    return staff.tenant_id == tenant or (staff.tenant_id is None and staff.role == "operator")

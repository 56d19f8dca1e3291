"""Why a body can never become a job."""

from enum import StrEnum

from pydantic import ValidationError

_SHOWN = 10  # a list of ten thousand bad questions is named by its first few


class PoisonCode(StrEnum):
    """Stable names: alerts and the dead-letter replay tool branch on them."""

    TOO_LARGE = "TOO_LARGE"
    NOT_JSON = "NOT_JSON"
    TOO_DEEP = "TOO_DEEP"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    UNSTORABLE_TEXT = "UNSTORABLE_TEXT"
    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    UNKNOWN_ACTION = "UNKNOWN_ACTION"
    UNKNOWN_JOB_TYPE = "UNKNOWN_JOB_TYPE"
    INVALID_FIELD = "INVALID_FIELD"
    FOREIGN_KEY_PREFIX = "FOREIGN_KEY_PREFIX"
    TENANT_MISMATCH = "TENANT_MISMATCH"
    TENANT_BINDING_MISSING = "TENANT_BINDING_MISSING"
    TENANT_BINDING_WRONG = "TENANT_BINDING_WRONG"


class Poison(Exception):
    """A body that no retry can help. `detail` names fields and what is wrong, never what they held."""

    def __init__(self, code: PoisonCode, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def from_validation(error: ValidationError) -> Poison:
    """Only places and kinds of error: pydantic's sentences may quote the value (a UUID's does)."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    kinds = {item["type"] for item in errors}
    named = [f"{'.'.join(map(str, item['loc']))} ({item['type']})" for item in errors[:_SHOWN]]
    more = [f"{len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
    code = PoisonCode.FOREIGN_KEY_PREFIX if "foreign_key_prefix" in kinds else PoisonCode.INVALID_FIELD
    return Poison(code, f"{error.title}: {', '.join(named + more)}")

"""What a producer says about two academies in one body: `source_tenant_id` asks, `tenant_id` owns what it
shares; and the signature that shows who said it.

The signature is the lower-case hex HMAC-SHA256 of these lines in UTF-8, a line feed between them and none
at the end; numbers are decimal digits, and the last line has the field that names the request in its queue:

    tenant-binding-v1
    tenant_id=70
    source_tenant_id=7
    business_idempotency_key=9f86d081...
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.queues.poison import Poison, PoisonCode

FIELD = "tenant_binding_signature"
_VERSION = "tenant-binding-v1"


@dataclass(frozen=True)
class Binding:
    """`owner` and `academy` are ids as the body has them, in decimal digits; "" where it names none.
    `named_by` is the field that names the request, and `name` what it holds."""

    owner: str
    academy: str
    named_by: str
    name: str
    signature: object = field(repr=False)

    @property
    def is_signed(self) -> bool:
        return self.signature not in (None, "")

    @property
    def of_two(self) -> bool:
        return self.academy not in ("", self.owner)

    def sign(self, key: bytes) -> str:
        """What a producer that has `key` writes into FIELD."""
        lines = (
            _VERSION,
            f"tenant_id={self.owner}",
            f"source_tenant_id={self.academy}",
            f"{self.named_by}={self.name}",
        )
        return hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()

    def refusal(self, keys: Sequence[bytes]) -> Poison | None:
        """Why it must not be believed by who has `keys`, any of which may have signed it. A signature is good
        for one request: it says nothing where the body does not name that."""
        if not self.is_signed:
            said = f"source_tenant_id is not tenant_id, and there is no {FIELD}"
            return Poison(PoisonCode.TENANT_BINDING_MISSING, said)
        if not self.name:
            said = f"{FIELD} needs {self.named_by}, and the body has none"
            return Poison(PoisonCode.TENANT_BINDING_WRONG, said)
        given = self.signature.encode() if isinstance(self.signature, str) else b""
        if not any(hmac.compare_digest(self.sign(key).encode(), given) for key in keys):
            said = f"{FIELD} is of none of the keys, or of other values of tenant_id, source_tenant_id or"
            return Poison(PoisonCode.TENANT_BINDING_WRONG, f"{said} {self.named_by}")
        return None


def bound(queue: str, body: dict[str, Any]) -> Binding | None:
    """What `body`, whose fields are valid, says of two academies or signs; None where it does neither."""
    payload = body.get("payload")
    owner = _id(body.get("tenant_id")) or _id(payload.get("tenant_id") if isinstance(payload, dict) else None)
    named_by = "business_idempotency_key" if queue == "messaging" else "job_id"
    name = body.get(named_by)
    found = Binding(
        owner=owner,
        academy=_id(body.get("source_tenant_id")),
        named_by=named_by,
        name=name if isinstance(name, str) else "",
        signature=body.get(FIELD),
    )
    return found if found.of_two or found.is_signed else None


def _id(value: object) -> str:
    """As digits, without zeros before them, however many a field takes: two ids that are not the same to what
    reads the body are never the same here. What is no id is nobody's, and is not repeated."""
    text = "" if value is None else str(value)
    if not (text.isascii() and text.isdigit()):
        return text and "?"
    digits = text.lstrip("0") or "0"
    return digits if len(digits) < 20 else "?"

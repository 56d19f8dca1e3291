"""The OpenAPI document, as programs read it that make clients of it."""

import re
from collections import Counter
from typing import Any

from api.app import app

OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method} {path}": operation
    for path, methods in app.openapi()["paths"].items()
    for method, operation in methods.items()
}


def test_no_operation_is_lost_in_a_generated_client() -> None:
    """Generators make names of ids: signs go, and capitals do not count."""
    ids = {where: operation["operationId"] for where, operation in OPERATIONS.items()}
    names = Counter(re.sub(r"[^a-z0-9]", "", each.lower()) for each in ids.values())
    assert [each for each, count in names.items() if count > 1] == []
    assert {each for each in ids.values() if not re.fullmatch(r"[a-z][a-z0-9_]{2,39}", each)} == set()


def test_every_operation_says_what_it_does_and_where_it_belongs() -> None:
    lacking = [
        where
        for where, each in OPERATIONS.items()
        if len(each["summary"].split()) < 2 or len(each["summary"]) > 100 or len(each.get("tags", ())) != 1
    ]
    assert len(OPERATIONS) > 35 and lacking == []

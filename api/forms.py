"""Forms without a body's worth of fields."""

from urllib.parse import parse_qsl

from fastapi import Request

from api.problems import refused
from contracts.base import is_storable

FIELDS = 10


async def fields_of(request: Request) -> dict[str, str]:
    """A small urlencoded form. HTTPException 422 for more fields, one of them twice, or no UTF-8."""
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except ValueError:
        pairs = []
    fields = dict(pairs)
    if not pairs or len(fields) < len(pairs) or not all(map(is_storable, fields.values())):
        raise refused(422, "invalid", "Not valid: the form.")
    return fields

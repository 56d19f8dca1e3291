"""Signed webhooks to the systems that submitted a job. The signing follows what payment providers do:
HMAC-SHA256 over the time and the body, so that a caught request cannot be sent again later."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import httpx

from clients.download import DownloadRefused, client, looked_at

WITHIN = 30.0  # seconds for one try


class NotDelivered(Exception):
    """No 2xx answer: worth another try."""


class Gone(Exception):
    """410, or an address that may not be asked: nobody will ever take it."""


async def deliver(
    url: str, *, secret: bytes, delivery_id: str, body: dict[str, Any], inner_addresses: bool
) -> None:
    """POST `body` as JSON. `Academy-Delivery` stays the same for every try of one result, so that a receiver
    can tell a repetition. Raises NotDelivered, Gone."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    at = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "Academy-Delivery": delivery_id,
        "Academy-Timestamp": at,
        "Academy-Signature": signature(secret, at, content),  # v1, for receivers that know no other
        "Academy-Signature-V2": signature_v2(secret, delivery_id, at, content),
    }
    try:
        async with asyncio.timeout(WITHIN):
            where = await looked_at(url, inner_addresses)
            headers |= where.headers
            # Only the status is read: what else the receiver says costs nothing.
            async with (
                client() as http,
                http.stream(
                    "POST", where.url, content=content, headers=headers, extensions=where.extensions
                ) as answer,
            ):
                status = answer.status_code
    except DownloadRefused:
        raise Gone("the address may not be asked") from None
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        raise NotDelivered(type(error).__name__) from None
    if status == 410:
        raise Gone("the receiver answered 410")
    if not 200 <= status < 300:
        raise NotDelivered(f"HTTP {status}")


def signature(secret: bytes, timestamp: str, content: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of `timestamp.content`."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()


def signature_v2(secret: bytes, delivery_id: str, timestamp: str, content: bytes) -> str:
    """`v2=` and the hex HMAC-SHA256 of `delivery.timestamp.content`: a caught request is no new delivery."""
    signed = b".".join((delivery_id.encode(), timestamp.encode(), content))
    return "v2=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()

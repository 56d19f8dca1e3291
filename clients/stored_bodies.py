"""Bodies of messages that no queue takes beside their attributes: sealed in the object store. The queue has a
stub that names the object, as SQS's extended clients do it. Every call blocks: use `asyncio.to_thread`."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta

from clients.objects import ObjectMissing, Objects
from clients.settings import Settings
from clients.vault import UnknownKey, Vault, VaultError

PREFIX = "dead-letters/"
# A letter lies 14 days, the most that SQS keeps, and 14 more in its queue when it was sent back.
KEPT = timedelta(days=30)
_STUB = re.compile(r'\{"stored_body":"(dead-letters/[0-9a-f]{64})"\}')


class BodyGone(Exception):
    """The object is not there (its message was done, or it was kept too long), or it was altered."""


class BodyLocked(BodyGone):
    """The object is there, and the key that opens it is not among ours now."""


def is_stub(body: str) -> bool:
    return _STUB.fullmatch(body) is not None


class StoredBodies:
    def __init__(self, settings: Settings) -> None:
        self._objects = Objects(settings)
        self._vault = Vault(settings.payload_keys.get_secret_value())

    def store(self, message_id: str, body: str) -> str:
        """Seal a message's body away; returns its stub. Again for the same message is the same object."""
        data = body.encode(errors="surrogatepass")
        key = PREFIX + hashlib.sha256(message_id.encode() + b"\n" + data).hexdigest()
        self._objects.put(
            key, self._vault.encrypt(data, key.encode()), "application/octet-stream", cache_control="no-store"
        )
        return stub(key)

    def open(self, stub: str) -> str:
        """Raises BodyGone, BodyLocked."""
        key = _key(stub)
        try:
            data = self._vault.decrypt(self._objects.get(key), key.encode())
        except UnknownKey as error:
            raise BodyLocked(key) from error
        except (ObjectMissing, VaultError) as error:
            raise BodyGone(key) from error
        return data.decode(errors="surrogatepass")

    def drop(self, stub: str) -> None:
        self._objects.delete(_key(stub))


def stub(key: str) -> str:
    """What a queue has of the body at `key`."""
    return json.dumps({"stored_body": key}, separators=(",", ":"))


def sweep(objects: Objects, kept: timedelta = KEPT) -> int:
    """Erase what was stored so long ago that no letter names it any more; of how many."""
    before = datetime.now(UTC) - kept
    old = [key for key, _, written in objects.written(PREFIX) if written < before]
    for key in old:
        objects.delete(key)
    return len(old)


def _key(stub: str) -> str:
    match = _STUB.fullmatch(stub)
    if match is None:
        raise ValueError("not a stub")
    return match[1]

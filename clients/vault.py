"""Payloads at rest: AES-256-GCM with a key ring, bound to the job they belong to; their hashes, keyed."""

import base64
import binascii
import hmac
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_NONCE = 12
LONGEST_ID = 32


class VaultError(Exception):
    """A sealed payload cannot be opened: unknown key, other job, or altered bytes."""


class UnknownKey(VaultError):
    """Sealed with a key that PAYLOAD_KEYS does not hold: of another process, or one that was taken out too
    early. It opens again when the key is there."""


class Vault:
    """Seals with the first key of the ring, opens with any: rotate by putting a new key in front.

    `keys` is `id:base64,id:base64`, each key 32 bytes. Raises ValueError when it is not. `key_ids` are
    theirs, `key_id` is the first.
    """

    def __init__(self, keys: str) -> None:
        self._ring: dict[bytes, AESGCM] = {}
        self._secrets: dict[str, bytes] = {}
        self._hash_keys: dict[str, bytes] = {}
        for entry in keys.split(","):
            key_id, _, text = entry.strip().partition(":")
            try:
                key = base64.b64decode(text, validate=True)
            except binascii.Error:
                key = b""
            if not key_id or len(key) != 32 or len(key_id) > LONGEST_ID:
                raise ValueError("PAYLOAD_KEYS must be id:base64 of 32 bytes, comma separated")
            self._ring[key_id.encode()] = AESGCM(key)
            self._secrets[key_id] = key
            self._hash_keys[key_id] = HKDFExpand(SHA256(), 32, b"payload hash").derive(key)
        self._current = next(iter(self._ring))
        self.key_ids = tuple(self._secrets)
        self.key_id = self.key_ids[0]

    def seal(self, payload: dict[str, Any], job_id: str) -> bytes:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return self.encrypt(text.encode(), job_id.encode())

    def open(self, sealed: bytes, job_id: str) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.decrypt(sealed, job_id.encode()))
        return payload

    def encrypt(self, data: bytes, bound_to: bytes) -> bytes:
        """`data` sealed with the first key; opens only with the same `bound_to`."""
        nonce = os.urandom(_NONCE)
        return self._current + b":" + nonce + self._ring[self._current].encrypt(nonce, data, bound_to)

    def decrypt(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Raises VaultError, UnknownKey."""
        key_id, colon, rest = sealed.partition(b":")
        if not colon or not 0 < len(key_id) <= LONGEST_ID:
            raise VaultError("not sealed by a vault")
        if key_id not in self._ring:
            raise UnknownKey("sealed with a key that PAYLOAD_KEYS does not hold")
        try:
            return self._ring[key_id].decrypt(rest[:_NONCE], rest[_NONCE:], bound_to)
        except (InvalidTag, ValueError):  # ValueError: cut off inside the nonce
            raise VaultError("altered, or sealed for another job") from None

    def derive(self, key_id: str, purpose: bytes, length: int = 32) -> bytes:
        """A key for `purpose` out of one of the ring (HKDF, RFC 5869). Raises VaultError if it has left."""
        if key_id not in self._secrets:
            raise VaultError("derived from a key that PAYLOAD_KEYS does not hold")
        return HKDFExpand(SHA256(), length, purpose).derive(self._secrets[key_id])

    def hls_key(self, key_id: str, prefix: str, first: int | None = None) -> bytes:
        """The AES-128 key of the version below `prefix`, which ends with a slash: another has another, a
        retry the same. Where keys rotate, that of the segments from `first` on."""
        purpose = prefix if first is None else f"{prefix}keys/{first}"
        return self.derive(key_id, b"hls " + purpose.encode(), 16)

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return sealed.startswith(self._current + b":")

    def keyed_hash(self, sha256: str) -> str:
        """What is stored of a payload's hash: `key id:` and an HMAC, so that nobody finds a phone number
        by hashing all of them. At most 55 characters."""
        return self._keyed_hash(self._current.decode(), sha256)

    def same_hash(self, sha256: str, stored: str) -> bool:
        """Whether a hash is the stored one. Rows of version 0.1 hold it bare. Of a key that has left the
        ring nothing can be said: then the idempotency key alone decides, and it is taken for the same."""
        key_id, keyed, _ = stored.partition(":")
        if not keyed:
            return hmac.compare_digest(stored, sha256)
        if key_id not in self._hash_keys:
            return True
        return hmac.compare_digest(stored, self._keyed_hash(key_id, sha256))

    def _keyed_hash(self, key_id: str, sha256: str) -> str:
        keyed = hmac.digest(self._hash_keys[key_id], sha256.encode(), "sha256")[:16]
        return f"{key_id}:{base64.urlsafe_b64encode(keyed).decode().rstrip('=')}"

"""Payloads at rest: AES-256-GCM with a key ring, bound to the job they belong to."""

import base64
import binascii
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class VaultError(Exception):
    """A sealed payload cannot be opened: unknown key, other job, or altered bytes."""


class Vault:
    """Seals with the first key of the ring, opens with any: rotate by putting a new key in front.

    `keys` is `id:base64,id:base64`, each key 32 bytes. Raises ValueError when it is not.
    """

    def __init__(self, keys: str) -> None:
        self._ring: dict[bytes, AESGCM] = {}
        for entry in keys.split(","):
            key_id, _, text = entry.strip().partition(":")
            try:
                key = base64.b64decode(text, validate=True)
            except binascii.Error:
                key = b""
            if not key_id or len(key) != 32 or len(key_id) > 32:
                raise ValueError("PAYLOAD_KEYS must be id:base64 of 32 bytes, comma separated")
            self._ring[key_id.encode()] = AESGCM(key)
        self._current = next(iter(self._ring))

    def seal(self, payload: dict[str, Any], job_id: str) -> bytes:
        nonce = os.urandom(_NONCE)
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        return self._current + b":" + nonce + self._ring[self._current].encrypt(nonce, text, job_id.encode())

    def open(self, sealed: bytes, job_id: str) -> dict[str, Any]:
        key_id, _, rest = sealed.partition(b":")
        if key_id not in self._ring:
            raise VaultError("sealed with a key that PAYLOAD_KEYS does not hold")
        try:
            text = self._ring[key_id].decrypt(rest[:_NONCE], rest[_NONCE:], job_id.encode())
        except (InvalidTag, ValueError):  # ValueError: cut off inside the nonce
            raise VaultError("altered, or sealed for another job") from None
        payload: dict[str, Any] = json.loads(text)
        return payload

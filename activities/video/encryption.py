"""Media segments as AES-128 HLS wants them: each CBC on its own, padded, its IV the media sequence number
(RFC 8216, 4.3.2.4 and 5.2). Init segments stay clear, and so playlists name the key after the map."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from activities.video.media_files import MediaFile, TrackFiles
from clients.objects import read_own
from clients.vault import Vault
from contracts.video import EncodePlan
from rules.hls_keys import key_of

BLOCK = 16  # bytes
Keys = Callable[[int], bytes]
"""The key of a segment by its number."""


def encrypt_tracks(out: Path, tracks: Sequence[TrackFiles], keys: Keys) -> list[TrackFiles]:
    """Encrypt the media segments below `out` in their files. The same bytes and keys give the same bytes."""
    return [
        dataclasses.replace(track, segments=[_encrypt_file(out, file, keys) for file in track.segments])
        for track in tracks
    ]


def encrypt(data: bytes, key: bytes, sequence: int) -> bytes:
    """One media segment; `sequence` is its number in the playlist, from 0."""
    padder = PKCS7(BLOCK * 8).padder()
    cipher = Cipher(AES128(key), CBC(sequence.to_bytes(BLOCK, "big"))).encryptor()
    return cipher.update(padder.update(data) + padder.finalize()) + cipher.finalize()


def decrypt(data: bytes, key: bytes, sequence: int) -> bytes:
    """What `encrypt` was given. Raises ValueError where another key or number was meant."""
    cipher = Cipher(AES128(key), CBC(sequence.to_bytes(BLOCK, "big"))).decryptor()
    unpadder = PKCS7(BLOCK * 8).unpadder()
    return unpadder.update(cipher.update(data) + cipher.finalize()) + unpadder.finalize()


def encrypted(data: bytes, name: str, keys: Keys) -> bytes:
    """A media segment by its file's name, which has its number in the playlist."""
    number = int(Path(name).stem.removeprefix("s"))
    return encrypt(data, keys(number), number)


def keys_of(vault: Vault, plan: EncodePlan) -> Keys | None:
    """Those of a plan's version, or of one that is in the clear."""
    key_id = plan.key_id
    if key_id is None:
        return None
    return lambda number: vault.hls_key(key_id, plan.prefix, key_of(key_id, plan.key_segments, number).first)


def _encrypt_file(out: Path, file: MediaFile, keys: Keys) -> MediaFile:
    path = out / file.name
    data = encrypted(read_own(path), file.name, keys)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    # A part of what is encrypted as a whole is nothing that a player may decrypt: it has no padding.
    return dataclasses.replace(file, size=len(data), sha256=digest, iframe=None)

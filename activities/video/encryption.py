"""Media segments as AES-128 HLS wants them: each CBC on its own, padded, its IV the media sequence number
(RFC 8216, 4.3.2.4 and 5.2). Init segments stay clear, and so playlists name the key after the map."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from activities.video.media_files import MediaFile, TrackFiles
from clients.objects import read_own

BLOCK = 16  # bytes


def encrypt_tracks(out: Path, tracks: Sequence[TrackFiles], key: bytes) -> list[TrackFiles]:
    """Encrypt the media segments below `out` in their files. The same bytes and key give the same bytes."""
    return [
        dataclasses.replace(track, segments=[_encrypt_file(out, file, key) for file in track.segments])
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


def encrypted(data: bytes, name: str, key: bytes) -> bytes:
    """A media segment by its file's name, which has its number in the playlist."""
    return encrypt(data, key, int(Path(name).stem.removeprefix("s")))


def _encrypt_file(out: Path, file: MediaFile, key: bytes) -> MediaFile:
    path = out / file.name
    data = encrypted(read_own(path), file.name, key)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    # A part of what is encrypted as a whole is nothing that a player may decrypt: it has no padding.
    return dataclasses.replace(file, size=len(data), sha256=digest, iframe=None)

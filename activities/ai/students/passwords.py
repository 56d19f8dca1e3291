"""How an account's first password is kept: as a hash, in the format that Django reads."""

import base64
import hashlib
import secrets

COST, BLOCK, PARALLEL = 2**14, 8, 5  # OWASP's Password Storage Cheat Sheet; 16 MiB, some 0.3 s


def hashed(password: str, salt: str | None = None, parallel: int = PARALLEL) -> str:
    """`scrypt$cost$salt$block$parallel$base64`, as Django's ScryptPasswordHasher writes it (RFC 7914)."""
    salt = salt or secrets.token_urlsafe(16)
    key = hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=COST, r=BLOCK, p=parallel, maxmem=64 << 20, dklen=64
    )
    return f"scrypt${COST}${salt}${BLOCK}${parallel}${base64.b64encode(key).decode()}"

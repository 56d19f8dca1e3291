"""The HMAC header. Parameter names are read without regard to case: Solapi's own SDKs differ in it."""

import hashlib
import hmac
import re
import time

from devstack.solapi.answers import Refusal, moment_of

SKEW = 15 * 60.0  # seconds, both ways

_PARAMETER = re.compile(r"\s*(\w+)=([^,]*)")


class Authenticator:
    """Checks one key. The date is compared with real time, whatever the simulator's clock says."""

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._secret = secret.encode()
        self._seen: dict[str, float] = {}  # signature → when, oldest first

    def check(self, header: str | None) -> None:
        """Raises:
        Refusal: one of Solapi's four 403, or 401 without any header.
        """
        scheme, _, rest = (header or "").partition(" ")
        if scheme.upper() != "HMAC-SHA256":
            raise Refusal(401, "Unauthorized", "인증 정보가 없습니다.")
        given = {name.lower(): value.strip() for name, value in _PARAMETER.findall(rest)}
        if given.get("apikey") != self._key:
            raise Refusal(403, "InvalidAPIKey", "유효한 API Key가 아닙니다.")
        date, salt, signature = (given.get(name, "") for name in ("date", "salt", "signature"))
        now = time.time()
        try:
            skew = abs(moment_of(date) - now)
        except ValueError:
            skew = SKEW + 1
        if skew > SKEW:
            raise Refusal(403, "RequestTimeTooSkewed", "요청 시간이 서버 시간과 15분 이상 차이납니다.")
        wanted = hmac.new(self._secret, (date + salt).encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), signature.lower().encode()):
            raise Refusal(403, "SignatureDoesNotMatch", "시그니처가 일치하지 않습니다.")
        self._forget(now)
        if wanted in self._seen:
            raise Refusal(403, "DuplicatedSignature", "이미 사용된 시그니처입니다.")
        self._seen[wanted] = now

    def _forget(self, now: float) -> None:
        """A signature older than twice the skew cannot pass the date check any more."""
        while self._seen and self._seen[oldest := next(iter(self._seen))] < now - 2 * SKEW:
            del self._seen[oldest]

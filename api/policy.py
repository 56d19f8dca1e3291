"""What every page of ours carries, and whose posts it takes."""

from starlette.datastructures import Headers

from api.auth.callers import host_of

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would send `Origin: null` with forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
PLAIN = {  # of a page without scripts, styles or pictures
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def from_our_page(headers: Headers) -> bool:
    """Whether a request comes from a page of the host that it asks. Without an Origin it does not."""
    return host_of(headers.get("origin", "")) == headers.get("host") != ""

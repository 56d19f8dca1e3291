"""Files behind the links of legacy messages: from hosts that are listed, and from nowhere inside."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from clients.settings import Settings

MAX_REDIRECTS = 3
TIMEOUT = httpx.Timeout(10, connect=5)
WITHIN = 300.0  # seconds for the whole file
EXPIRED = (401, 403, 404, 410)  # stores answer 403 to a link whose time is over
# Other forms of IPv4 addresses, behind which anything may be: IPv4-compatible ones (RFC 4291, 2.5.5.1) and
# NAT64 (RFC 6052, RFC 8215). A host on the internet has others.
WRAPPED = [ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")]
PORTS = (80, 443)


class DownloadRefused(Exception):
    """A link that is not followed: another host, an inner address, too many redirects. Holds no address."""


class DownloadGone(DownloadRefused):
    """The host gives the file to nobody with this link: it has expired, or the file was removed."""


class DownloadTooLarge(Exception):
    """More bytes than allowed."""


class DownloadFailed(Exception):
    """The host did not give the file. Worth another try."""


class Downloads:
    """Follows links to `DOWNLOAD_HOSTS` only. A name is resolved once, and the address that was looked at is
    the one that is used, so that it cannot be another a moment later. Links are signed: none is logged."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = frozenset(
            host.strip().lower() for host in settings.download_hosts.split(",") if host.strip()
        )
        self._inner = settings.download_inner_addresses

    async def fetch(self, url: str, path: Path, max_bytes: int) -> None:
        """Write the file behind `url` to `path`. Raises DownloadRefused, DownloadTooLarge,
        DownloadFailed; what was written till then stays."""
        try:
            async with asyncio.timeout(WITHIN):
                for _ in range(MAX_REDIRECTS + 1):
                    next_url = await self._get(url, path, max_bytes)
                    if next_url is None:
                        return
                    url = next_url
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise DownloadFailed(type(error).__name__) from None
        raise DownloadRefused("too many redirects")

    async def _get(self, url: str, path: Path, max_bytes: int) -> str | None:
        """None when the file is there, else where it is said to be."""
        there = await looked_at(url, self._inner, self._hosts)
        # As it is: a compressed answer would be larger than it says, or a file that is none.
        headers = there.headers | {"Accept-Encoding": "identity"}
        async with (
            client() as http,
            http.stream("GET", there.url, headers=headers, extensions=there.extensions) as answer,
        ):
            if answer.has_redirect_location:
                return _joined(url, answer.headers["Location"])
            if answer.status_code in EXPIRED:
                raise DownloadGone(f"HTTP {answer.status_code}")
            if answer.status_code != 200 or "Content-Encoding" in answer.headers:
                raise DownloadFailed(f"HTTP {answer.status_code}")
            done = 0
            with path.open("wb") as file:
                async for chunk in answer.aiter_raw():
                    done += len(chunk)
                    if done > max_bytes:
                        raise DownloadTooLarge
                    file.write(chunk)
        return None


@dataclass(frozen=True)
class Place:
    """An address by number, and what makes the host behind it answer for its name."""

    url: httpx.URL
    headers: dict[str, str]
    extensions: dict[str, Any]


async def looked_at(url: str, inner_addresses: bool, hosts: frozenset[str] | None = None) -> Place:
    """Resolve the host of `url` once, and give the address that was looked at.

    Raises DownloadRefused for a host that is none of `hosts`, and for an address that is not public, unless
    `inner_addresses`; OSError when the name cannot be resolved.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
            raise DownloadRefused("not a link to a host")
        if hosts is not None and not _listed(host, port, hosts, any_port=inner_addresses):
            raise DownloadRefused("the host is not one of DOWNLOAD_HOSTS")
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        address = str(found[0][4][0])
        if not inner_addresses and not _public(address):
            raise DownloadRefused("the host's address is not a public one")
        there = httpx.URL(url).copy_with(host=address, port=port)
    except (ValueError, httpx.InvalidURL):  # their texts quote the link
        raise DownloadRefused("not a link to a host") from None
    return Place(there, {"Host": parts.netloc}, {"sni_hostname": host})


def client() -> httpx.AsyncClient:
    """For one request to an address that somebody else names: no proxy and no `.netrc` of ours has a part.

    Never for two: connections are kept by address, and the second name would not be checked in TLS.
    """
    return httpx.AsyncClient(verify=httpx.create_ssl_context(), trust_env=False, timeout=TIMEOUT)


def _listed(host: str, port: int, hosts: frozenset[str], *, any_port: bool) -> bool:
    """A host that is named, at the ports of the web; at another one only where that is named with it."""
    return f"{host}:{port}" in hosts or (host in hosts and (port in PORTS or any_port))


def _public(text: str) -> bool:
    """Whether an address is on the internet, also where IPv6 wraps one of IPv4."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in each for each in WRAPPED):
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if inner and not inner.is_global:
            return False
    return address.is_global and not address.is_multicast


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise DownloadRefused("not a link to a host") from None

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


class DownloadRefused(Exception):
    """A link that is not followed: another host, an inner address, too many redirects. Holds no address."""


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
        """Write the file behind `url` to `path`. Raises DownloadRefused, DownloadTooLarge, DownloadFailed."""
        try:
            async with asyncio.timeout(WITHIN), httpx.AsyncClient(timeout=TIMEOUT) as client:
                for _ in range(MAX_REDIRECTS + 1):
                    next_url = await self._get(client, url, path, max_bytes)
                    if next_url is None:
                        return
                    url = next_url
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise DownloadFailed(type(error).__name__) from None
        raise DownloadRefused("too many redirects")

    async def _get(self, client: httpx.AsyncClient, url: str, path: Path, max_bytes: int) -> str | None:
        """None when the file is there, else where it is said to be."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or (parts.hostname or "").lower() not in self._hosts:
            raise DownloadRefused("the host is not one of DOWNLOAD_HOSTS")
        there = await looked_at(url, self._inner)
        async with client.stream(
            "GET", there.url, headers=there.headers, extensions=there.extensions
        ) as answer:
            if answer.has_redirect_location:
                return urljoin(url, answer.headers["Location"])
            if answer.status_code != 200:
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


async def looked_at(url: str, inner_addresses: bool) -> Place:
    """Resolve the host of `url` once, and give the address that was looked at.

    Raises DownloadRefused for one that is not public, unless `inner_addresses`.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if not inner_addresses and not ipaddress.ip_address(address).is_global:
        raise DownloadRefused("the host's address is not a public one")
    return Place(
        httpx.URL(url).copy_with(host=address, port=port),
        {"Host": parts.netloc.rpartition("@")[2]},
        {"sni_hostname": host},
    )

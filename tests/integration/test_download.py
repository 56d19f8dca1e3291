"""Links of legacy messages: from listed hosts, from public addresses, in one piece, within limits."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from clients import download
from clients.download import DownloadFailed, DownloadGone, DownloadRefused, Downloads, DownloadTooLarge
from devstack.ports import LOOPBACK
from tests.integration.serving import bare_settings, serving, talking

HOST, OTHER = "files.example.com", "other.example.com"
SIGNED = "X-Amz-Signature=canary"


def downloads(inner: bool = True, hosts: str = f"{HOST}, {OTHER}") -> Downloads:
    return Downloads(bare_settings(download_hosts=hosts, download_inner_addresses=inner))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A resolver of our own: host → its addresses, one for each time that it is asked, the last one again."""
    table = {HOST: [LOOPBACK], OTHER: [LOOPBACK]}

    async def getaddrinfo(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        answers = table.get(host)
        if answers is None:
            if host.replace(".", "").isdigit() or ":" in host:
                answers = [host]
            else:
                raise socket.gaierror(-2, "unknown name")
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return table


async def test_a_file_is_fetched_under_its_hosts_name(names: dict[str, list[str]], tmp_path: Path) -> None:
    data = bytes(range(256)) * 4000
    async with serving(lambda _, __: Response(data)) as (desk, port):
        url = f"http://{HOST.upper()}:{port}/a%20b.pdf?{SIGNED}"
        await downloads().fetch(url, tmp_path / "file", len(data))
    assert (tmp_path / "file").read_bytes() == data
    (request, _), *more = desk.asked
    assert not more
    assert request.headers["host"].lower() == f"{HOST}:{port}"
    assert (request.url.path, request.url.query) == ("/a b.pdf", SIGNED)
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::101:101",
        "64:ff9b:1::101:101",
        "::127.0.0.1",
        "::169.254.169.254",
        "2002:7f00:1::1",
    ],
)
async def test_an_inner_address_is_not_asked(
    address: str, names: dict[str, list[str]], tmp_path: Path
) -> None:
    names[HOST] = [address]
    with pytest.raises(DownloadRefused, match="not a public one"):
        await downloads(inner=False).fetch(f"http://{HOST}/x?{SIGNED}", tmp_path / "file", 10)


@pytest.mark.parametrize("port", [22, 8080, 6379])
async def test_only_the_webs_ports_unless_another_is_named(port: int, names: dict[str, list[str]]) -> None:
    names[HOST] = ["1.1.1.1"]
    with pytest.raises(DownloadRefused, match="DOWNLOAD_HOSTS"):
        await download.looked_at(f"https://{HOST}:{port}/x", False, frozenset({HOST}))
    await download.looked_at(f"https://{HOST}:{port}/x", False, frozenset({f"{HOST}:{port}"}))
    await download.looked_at(f"https://{HOST}/x", False, frozenset({HOST}))


@pytest.mark.parametrize("address", ["1.1.1.1", "52.219.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
async def test_a_public_address_may_be_asked(address: str, names: dict[str, list[str]]) -> None:
    names[HOST] = [address]
    place = await download.looked_at(f"https://{HOST}/x", False)
    assert ip_address(place.url.host) == ip_address(address)
    assert place.extensions["sni_hostname"] == HOST


async def test_a_name_that_changes_is_asked_where_it_was_looked_at(
    names: dict[str, list[str]], tmp_path: Path
) -> None:
    """DNS rebinding: a public address for the check, an inner one for the connection."""
    names[HOST] = ["203.0.114.1", LOOPBACK]
    place = await download.looked_at(f"http://{HOST}/x", False)
    assert place.url.host == "203.0.114.1"

    names[HOST] = [LOOPBACK, "203.0.114.1"]
    async with serving(lambda _, __: Response(b"inner")) as (desk, port):
        await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 10)
    assert len(desk.asked) == 1, "the name was resolved once"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://files.example.com.evil.com/x",
        "http://files.example.com@evil.com/x",
        "http://evil.com#@files.example.com/x",
        "http://evil.com\\@files.example.com/x",
        "ftp://files.example.com/x",
        "file:///etc/passwd",
        "http:///x",
        "http://files.example.com:99999/x",
        "http://[::1/x",
        "//files.example.com/x",
        "",
    ],
)
async def test_a_link_to_elsewhere_is_not_followed(
    url: str, names: dict[str, list[str]], tmp_path: Path
) -> None:
    names["evil.com"] = names["files.example.com.evil.com"] = [LOOPBACK]
    with pytest.raises(DownloadRefused) as refused:
        await downloads().fetch(url, tmp_path / "file", 10)
    assert refused.value.__suppress_context__ or refused.value.__cause__ is None
    assert "example" not in str(refused.value)


async def test_without_a_list_nothing_is_fetched(names: dict[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(DownloadRefused, match="DOWNLOAD_HOSTS"):
        await downloads(hosts="").fetch(f"http://{HOST}/x", tmp_path / "file", 10)


async def test_each_redirect_is_looked_at(names: dict[str, list[str]], tmp_path: Path) -> None:
    target = {"to": ""}

    def reply(request: Request, _: bytes) -> Response:
        return RedirectResponse(target["to"]) if request.url.path == "/start" else Response(b"done")

    async with serving(reply) as (desk, port):
        start = f"http://{HOST}:{port}/start"
        target["to"] = f"http://{OTHER}:{port}/end"
        await downloads().fetch(start, tmp_path / "file", 10)
        assert (tmp_path / "file").read_bytes() == b"done"
        target["to"] = "end"  # relative
        await downloads().fetch(start, tmp_path / "file", 10)

        for bad in (f"http://{LOOPBACK}:{port}/end", "http://evil.com/"):
            target["to"] = bad
            before = len(desk.asked)
            with pytest.raises(DownloadRefused):
                await downloads().fetch(start, tmp_path / "file", 10)
            assert len(desk.asked) == before + 1

        target["to"] = start
        before = len(desk.asked)
        with pytest.raises(DownloadRefused, match="too many"):
            await downloads().fetch(start, tmp_path / "file", 10)
        assert len(desk.asked) == before + 4, "the first and three more"


@pytest.mark.parametrize("location", ["http://a℀b/", "file:///etc/passwd", "http://[::1/", "http://x:99999/"])
async def test_a_redirect_to_what_is_no_link(
    location: str, names: dict[str, list[str]], tmp_path: Path
) -> None:
    async def odd(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with talking(odd) as port:
        with pytest.raises((DownloadRefused, DownloadFailed)):
            await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 10)


async def test_a_redirect_to_an_inner_address_is_not_followed(
    names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host counts as public here; the second one is listed, but its name leads inside."""
    monkeypatch.setattr(download, "_public", lambda address: address == LOOPBACK)
    monkeypatch.setattr(download, "PORTS", range(2**16))
    names[OTHER] = ["127.0.0.2"]
    async with serving(lambda _, __: RedirectResponse(f"http://{OTHER}/end")) as (_, port):
        with pytest.raises(DownloadRefused, match="not a public one"):
            await downloads(inner=False).fetch(f"http://{HOST}:{port}/start", tmp_path / "file", 10)


async def test_a_file_beyond_the_limit_is_given_up(names: dict[str, list[str]], tmp_path: Path) -> None:
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while sent < 50_000_000:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with talking(endless) as port:
        with pytest.raises(DownloadTooLarge):
            await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 100_000)
    assert (tmp_path / "file").stat().st_size <= 100_000
    assert sent < 50_000_000, "it was not read to the end"


async def test_a_compressed_answer_is_not_taken(names: dict[str, list[str]], tmp_path: Path) -> None:
    gzip = Response(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    async with serving(lambda _, __: gzip) as (_, port):
        with pytest.raises(DownloadFailed):
            await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 10)


async def test_a_slow_host_is_given_up(
    names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then keeps every read in time; the whole is not."""
    monkeypatch.setattr(download, "WITHIN", 0.6)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with talking(drip) as port:
        with pytest.raises(DownloadFailed, match="TimeoutError"):
            await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 10_000)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, DownloadGone), (403, DownloadGone), (500, DownloadFailed), (206, DownloadFailed)],
)
async def test_what_is_no_file(
    status: int, error: type[Exception], names: dict[str, list[str]], tmp_path: Path
) -> None:
    async with serving(lambda _, __: Response(b"no", status_code=status)) as (_, port):
        with pytest.raises(error) as failed:
            await downloads().fetch(f"http://{HOST}:{port}/x?{SIGNED}", tmp_path / "file", 10)
    assert "canary" not in str(failed.value)


async def test_a_cut_answer_is_a_failure(names: dict[str, list[str]], tmp_path: Path) -> None:
    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        await writer.drain()

    async with talking(half) as port:
        with pytest.raises(DownloadFailed):
            await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 10_000)
    names[HOST] = ["127.0.0.1"]
    with pytest.raises(DownloadFailed):  # nobody listens there any more
        await downloads().fetch(f"http://{HOST}:{port}/x", tmp_path / "file", 10_000)


async def test_proxies_of_the_environment_have_no_part(
    names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(lambda _, __: Response(b"proxy")) as (proxy, port),
        serving(lambda _, __: Response(b"file")) as (_, target),
    ):
        monkeypatch.setenv("HTTP_PROXY", f"http://{LOOPBACK}:{port}")
        await downloads().fetch(f"http://{HOST}:{target}/x", tmp_path / "file", 10)
    assert not proxy.asked and (tmp_path / "file").read_bytes() == b"file"


async def test_the_certificate_must_be_the_hosts(
    names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to a number, but TLS asks for the name; one host's certificate is no other's."""
    context = _certified(HOST, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    asked: list[str] = []
    context.sni_callback = lambda _, name, __: asked.append(name)

    async def file(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile")
        await writer.drain()

    async with talking(file, ssl=context) as port:
        await downloads().fetch(f"https://{HOST}:{port}/x", tmp_path / "file", 10)
        with pytest.raises(DownloadFailed, match="ConnectError"):
            await downloads().fetch(f"https://{OTHER}:{port}/x", tmp_path / "file", 10)
    assert asked == [HOST, OTHER]


async def test_a_redirect_to_another_name_at_the_same_address_is_another_connection(
    names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the certificate of the first name would do for the second."""
    context = _certified(HOST, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async def there(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 302 Found\r\nLocation: https://{OTHER}:{port}/end\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile")
        await writer.drain()

    async with talking(there, ssl=context) as port:
        with pytest.raises(DownloadFailed, match="ConnectError"):
            await downloads().fetch(f"https://{HOST}:{port}/x", tmp_path / "file", 10)


def _certified(host: str, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate.public_bytes(encoding))
    secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, *secret))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context

"""An authority of the test's own, and TLS before the stack's servers: none of them has it built in."""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.faults.proxy import Proxy

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # Postgres' protocol, "SSL Session Encryption"


@dataclass(frozen=True)
class Signed:
    """Files with a certificate and its key, as PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; `ca` is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.ca = folder / f"{name}.pem"
        basic = x509.BasicConstraints(ca=True, path_length=0)
        own = _builder(self._name, self._key.public_key(), self._name).add_extension(basic, critical=True)
        self.ca.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def sign(self, name: str, *addresses: str) -> Signed:
        """For servers at these names or addresses; for a client without any."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), key.public_key(), self._name)
        if addresses:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(map(_general, addresses))), critical=False
            )
        signed = Signed(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        signed.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        signed.key.touch(mode=0o600)
        signed.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return signed


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(address: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(address))
    return x509.DNSName(address)


def _builder(name: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=name,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    )


class Front(Proxy):
    """`async with Front(port, server) as front`: TLS at `front.port`, plain to 127.0.0.1:`port` behind it.

    `clients`: the authority that whoever connects must show a certificate of. `postgres`: TLS begins after a
    question, as its protocol wants it.
    """

    def __init__(
        self, port: int, server: Signed, *, clients: Path | None = None, postgres: bool = False
    ) -> None:
        super().__init__("127.0.0.1", port)
        self._postgres = postgres
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server.certificate, server.key)
        self._context.set_alpn_protocols(["h2", "postgresql"])  # gRPC insists on the first
        if clients:
            self._context.load_verify_locations(clients)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._tls = None if postgres else self._context

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if self._postgres:
                if await reader.readexactly(8) != SSL_REQUEST:  # without encryption nobody is let in
                    writer.close()
                    return
                writer.write(b"S")
                await writer.start_tls(self._context)
            await super()._accept(reader, writer)

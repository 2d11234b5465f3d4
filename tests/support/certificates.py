"""Certificates for the tests, made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    @property
    def endpoint(self) -> str:
        return f"ssl:0:interface=127.0.0.1:privateKey={self.key}:certKey={self.certificate}"

    def client(self, *protocols: str) -> ssl.SSLContext:
        """A client's context that trusts this certificate only."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def make_pair(
    folder: Path,
    name: str = "server",
    *,
    passphrase: bytes | None = None,
    signed_by: Pair | None = None,
    age: int = 0,
) -> Pair:
    """Write a certificate for 127.0.0.1 and localhost and its key; it signed itself, if nobody else did.

    Args:
        folder: where.
        name: of the files, and the common name.
        passphrase: of the key.
        signed_by: who issued it.
        age: how many days ago it was made; it is valid for one.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    today = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
    issuer, issuer_key = subject, key
    if signed_by is not None:
        issuer = x509.load_pem_x509_certificate(signed_by.certificate.read_bytes()).subject
        issuer_key = serialization.load_pem_private_key(signed_by.key.read_bytes(), None)  # type: ignore[assignment]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    )
    return pair

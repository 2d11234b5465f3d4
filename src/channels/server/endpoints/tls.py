"""TLS: certificates from files, followed when they are renewed, and what the application is told.

TLS 1.2 and 1.3 with OpenSSL's choice of ciphers; the protocol is agreed on by ALPN (RFC 7301).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from channels import telemetry
from channels.server.config import Config
from channels.server.endpoints.endpoints import CertificateFiles, Endpoint, ListenError
from channels.server.io.timer_wheel import NEVER, Slot, TimerWheel

logger = logging.getLogger("channels.server")

#: Seconds between two looks at the files of a certificate.
RELOAD_INTERVAL = 1.0

#: The numbers of ASGI's ``tls_version``, which are TLS's own (RFC 8446 section 4.2.1).
_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}

#: What OpenSSL says is wrong, in our words. Of files that hold no PEM it says nothing.
_REASONS = {
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate. Use a pair that was issued together",
    "": "a file holds no usable PEM. Look for an empty, cut or DER file",
}


def secured(endpoint: Endpoint, config: Config) -> Endpoint:
    """Return ``endpoint`` with what the settings say of TLS, if it is one to speak TLS on."""
    files = endpoint.tls
    if files is None and config.ssl_certfile is not None and endpoint.kind != "unix":
        files = CertificateFiles(config.ssl_certfile, config.ssl_keyfile or config.ssl_certfile)
    if files is not None and config.ssl_ca_certs and not files.client_ca:
        required = config.ssl_cert_reqs == "required"
        files = dataclasses.replace(files, client_ca=config.ssl_ca_certs, client_required=required)
    return dataclasses.replace(endpoint, tls=files)


class Credentials:
    """The TLS of one endpoint. New connections get the renewed certificate as soon as it is there.

    Args:
        files: where certificate and key lie.
        protocols: what is spoken, best first, as ALPN calls it.

    Attributes:
        context: what connections are made with.

    Raises:
        ListenError: the files cannot be used; the text is one line that says why.
    """

    def __init__(self, files: CertificateFiles, protocols: Sequence[str]) -> None:
        self.slot: Slot | None = None
        self._files = files
        self._stamp = self._look()
        self._timers: TimerWheel | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        if protocols:
            self.context.set_alpn_protocols(list(protocols))
        self._load(self.context)
        _warn_if_out_of_date(files.certificate, self._leaf)
        if files.client_ca:
            self._ask_clients(self.context)
        self._suites = {suite["name"]: suite["id"] & 0xFFFF for suite in self.context.get_ciphers()}

    def watch(self, timers: TimerWheel) -> None:
        """Load the certificate again whenever its files have changed."""
        self._timers = timers
        timers.schedule(self, timers.now + RELOAD_INTERVAL)

    def on_due(self, now: float) -> float:
        """Look at the files. A pair that does not fit is left alone until it changes again."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            self._reload()
        return NEVER if self._timers is None else now + RELOAD_INTERVAL

    def _reload(self) -> None:
        try:
            # On trial first: a context that took the certificate keeps it even if the key is refused.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except ListenError as error:
            telemetry.count("server.certificate_refused", certificate=self._files.certificate)
            logger.error("%s The certificate from before stays in use.", error)
        else:
            _warn_if_out_of_date(self._files.certificate, self._leaf)
            logger.info("The renewed certificate %s is in use.", self._files.certificate)

    def extension(self, connection: ssl.SSLObject | ssl.SSLSocket | None) -> dict[str, Any]:
        """Return ASGI's ``tls`` extension for a connection (asgi.readthedocs.io, "TLS Extension")."""
        cipher = connection.cipher() if connection is not None else None
        version = connection.version() if connection is not None else None
        asked = connection is not None and self._files.client_ca
        chain = _client_chain(connection) if asked else []
        return {
            "server_cert": self._leaf,
            "client_cert_chain": [ssl.DER_cert_to_PEM_cert(certificate) for certificate in chain],
            "client_cert_name": _subject(chain[0]) if chain else None,
            # Who sends a wrong certificate is not connected.
            "client_cert_error": None,
            "tls_version": _VERSIONS.get(version or ""),
            "cipher_suite": self._suites.get(cipher[0]) if cipher else None,
        }

    def _ask_clients(self, context: ssl.SSLContext) -> None:
        """Demand certificates of clients, or take them."""
        path = self._files.client_ca
        context.verify_mode = ssl.CERT_REQUIRED if self._files.client_required else ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            raise _cannot_ask(path, "it holds no usable PEM certificate") from None
        except OSError as error:
            raise _cannot_ask(path, error.strerror or str(error)) from None

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Return what changes when a file does; None for one that is not there at the moment."""
        stamps: list[tuple[int, int, int] | None] = []
        for path in (self._files.certificate, self._files.key, self._files.chain):
            try:
                found = os.stat(path)
                stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
            except OSError:
                stamps.append(None)
        return tuple(stamps)

    def _load(self, context: ssl.SSLContext) -> None:
        files = self._files
        try:
            with self._whole_chain() as certificate:
                context.load_cert_chain(certificate, files.key, password=_no_passphrase)
            self._leaf = _first_certificate(files.certificate)
        except ssl.SSLError as error:
            reason = error.reason or ""
            raise self._cannot(_REASONS.get(reason, f"OpenSSL says {reason}")) from None
        except OSError as error:
            raise self._cannot(
                f"{error.filename or 'a file'}: {error.strerror}. Give paths of readable PEM files"
            ) from None
        except ValueError as error:
            raise self._cannot(str(error)) from None

    def _cannot(self, why: str) -> ListenError:
        files = self._files
        return ListenError(
            0, f"Cannot speak TLS with the certificate {files.certificate} and the key {files.key}: {why}."
        )

    @contextlib.contextmanager
    def _whole_chain(self) -> Any:
        """Certificate and chain as the one file that OpenSSL wants."""
        for path in (self._files.certificate, self._files.key):
            with open(path, "rb"):
                pass  # only to learn which of the two cannot be read: ssl does not say
        if not self._files.chain:
            yield self._files.certificate
            return
        with tempfile.NamedTemporaryFile(suffix=".pem") as joined:
            for path in (self._files.certificate, self._files.chain):
                joined.write(Path(path).read_bytes() + b"\n")
            joined.flush()
            yield joined.name


def _cannot_ask(path: str, why: str) -> ListenError:
    return ListenError(
        0,
        f"Cannot ask clients for certificates of {path}: {why}. Give --ssl-ca-certs a readable PEM file.",
    )


def _client_chain(connection: Any) -> list[bytes]:
    """Return the client's certificate and those that came with it (before Python 3.13: the first alone)."""
    leaf: bytes | None = connection.getpeercert(binary_form=True)
    if leaf is None:
        return []
    return connection.get_unverified_chain() if hasattr(connection, "get_unverified_chain") else [leaf]


def _subject(certificate: bytes) -> str:
    """Return whose certificate it is, as RFC 4514 writes it."""
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


def _warn_if_out_of_date(path: str, certificate: str) -> None:
    """Warn of a certificate that clients will reject; the server starts, as a renewal may be near."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    if not begin <= datetime.now(UTC) <= end:
        logger.warning(
            "The certificate %s is valid from %s to %s only: clients will refuse it. Renew it, or set the "
            "clock; a renewed one is taken without a restart.",
            path,
            begin.date(),
            end.date(),
        )


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase. Remove it (`openssl pkey -in key.pem -out bare.pem`)")


def _first_certificate(path: str) -> str:
    """Return the certificate itself, without what stands before and after it in its file."""
    text = Path(path).read_text("ascii", "replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return begin + text.partition(begin)[2].partition(end)[0] + end + "\n"

r"""Where a server listens: endpoint strings, and the sockets they stand for.

The strings are those Daphne took: ``tcp:port=8000:interface=127.0.0.1``,
``unix:/run/app.sock:mode=660``, ``fd:fileno=3``, ``ssl:443:privateKey=key.pem:certKey=cert.pem``,
``systemd:domain=INET:index=0`` or ``systemd:name=web``. With ``app=meters``, as in ``tcp:9000:app=meters``,
the application gets the bytes of each connection (scope type ``tcp``, path ``/meters``); without it HTTP is
spoken. An ``ssl:`` endpoint with ``caCerts=devices.pem`` asks clients for a certificate of these authorities,
and with ``clientCert=optional`` lets those without one in.
A colon inside a value is written ``\:``.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from channels.process.platforms import UNIX, is_unix
from channels.server.endpoints.systemd import passed_descriptors

Address = list[Any]

_ADVICE = {
    errno.EADDRINUSE: "another program listens there. Stop it (`ss -ltnp` finds it), or take another port",
    errno.EACCES: "this user may not. Choose a port above 1023 (or give the right CAP_NET_BIND_SERVICE), "
    "or a directory this user may write to",
    errno.EADDRNOTAVAIL: "this machine has no such address. Choose one that `ip address` shows with -b",
    errno.EBADF: "it is not open. The program that starts the server has to pass it on",
    errno.ENOTSOCK: "it is no socket. The program that starts the server has to pass on a listening one",
    errno.EINVAL: "it is connected already. A .socket unit needs Accept=no",
    errno.ENAMETOOLONG: "the kernel takes 107 bytes at most. Choose a shorter path with -u",
    errno.ENOENT: "its directory does not exist. Create it, or choose another path with -u",
}


class ListenError(OSError):
    """The server cannot listen where it was told to; the text says where, why, and what to do."""

    def __str__(self) -> str:
        """The sentence alone, without OSError's number."""
        return str(self.strerror)


class EndpointError(ValueError):
    """An endpoint string cannot be understood; the text says what is expected."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a certificate lies, in PEM.

    Attributes:
        certificate: the certificate, with its chain or without.
        key: its private key, without a passphrase; may be the same file.
        chain: certificates of issuers, if they are not in the first file; "" for none.
        client_ca: who may sign the certificates of clients; "" if they are not asked for one.
        client_required: whether a client without one is refused.
    """

    certificate: str
    key: str
    chain: str = ""
    client_ca: str = ""
    client_required: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place to listen.

    Attributes:
        kind: "tcp", "unix", "fd" or "systemd".
        host: the name or address to bind to; "" for every IPv4 address.
        port: 0 for one that is free.
        path: of the Unix socket.
        mode: its permissions.
        fileno: the inherited file descriptor.
        name: of the sockets that systemd passes on; "" for all of them.
        index: which one of them, from 0; None for all.
        tls: the certificate to speak TLS with; None for clear text.
        app: the name under which an application gets the bytes of connections to it; "" for HTTP.
    """

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    mode: int = 0o666
    fileno: int = 0
    name: str = ""
    index: int | None = None
    tls: CertificateFiles | None = None
    app: str = ""


def endpoint_strings(
    host: str | None = None,
    port: int | None = None,
    unix_socket: str | None = None,
    file_descriptor: int | None = None,
) -> list[str]:
    """Return the endpoint strings for what ``-b``, ``-p``, ``-u`` and ``--fd`` say.

    Raises:
        ValueError: only one of host and port is given.
    """
    found = []
    if host is not None and port is not None:
        bare = host.strip("[]").replace(":", "\\:")
        found.append(f"tcp:port={port}:interface={bare}")
    elif host is not None or port is not None:
        raise ValueError(f"TCP binding requires both port and host kwargs; got host={host!r}, port={port!r}.")
    if unix_socket:
        found.append(f"unix:{unix_socket}")
    if file_descriptor is not None:
        found.append(f"fd:fileno={file_descriptor}")
    return found


def parse_endpoint(text: str) -> Endpoint:
    """Understand an endpoint string.

    Raises:
        EndpointError: it is none of the known ones.
    """
    kind, *rest = (
        part.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
        for part in re.split(r"(?<!\\):", text)  # at colons that no backslash stands before
    )
    if kind not in _KINDS:
        raise EndpointError(
            f"{text!r}: an endpoint begins with tcp:, ssl:, unix:, fd: or systemd:, as in tcp:port=8000."
        )
    first, known, build, needed = _KINDS[kind]
    values = dict(_key_and_value(part, first if place == 0 else "") for place, part in enumerate(rest))
    unknown = sorted(repr(key) for key in set(values) - known)
    if unknown or (needed and first not in values):
        wrong = f"does not know {', '.join(unknown)}" if unknown else f"needs {first}="
        takes = f"it takes {', '.join(sorted(known))}. A colon in a value is written \\:."
        raise EndpointError(f"{text!r}: {kind}: {wrong}; {takes}")
    try:
        return replace(build(values), app=_app(values.get("app")))
    except ValueError as error:
        raise EndpointError(f"{text!r}: {error}.") from None


def _key_and_value(part: str, default: str) -> tuple[str, str]:
    """The first part may go without its key."""
    key, found, value = part.partition("=")
    return (key, value) if found else (default, part)


def _app(name: str | None) -> str:
    if name is not None and re.fullmatch(r"[A-Za-z0-9._~/-]+", name) is None:
        raise ValueError(f"app names what gets the connections, as in app=meters, not {name!r}")
    return (name or "").strip("/")


def _tcp(values: dict[str, str]) -> Endpoint:
    port = _number("a port", values["port"])
    if port > 65535:
        raise ValueError(f"a port is a number from 0 to 65535, not {port}")
    return Endpoint("tcp", host=values.get("interface", "").strip("[]"), port=port)


def _ssl(values: dict[str, str]) -> Endpoint:
    key = values.get("privateKey", "server.pem")
    asked = values.get("clientCert", "required")
    if asked not in ("required", "optional"):
        raise ValueError(f"clientCert is required or optional, not {asked!r}")
    files = CertificateFiles(
        values.get("certKey", key),
        key,
        values.get("extraCertChain", ""),
        client_ca=values.get("caCerts", ""),
        client_required=asked == "required",
    )
    return replace(_tcp(values), tls=files)


def _unix(values: dict[str, str]) -> Endpoint:
    mode = values.get("mode", "666")
    if re.fullmatch("0*[0-7]{1,3}", mode) is None:
        raise ValueError(f"a mode is an octal number up to 777, such as 660, not {mode!r}")
    return Endpoint("unix", path=values["address"], mode=int(mode, 8))


def _fd(values: dict[str, str]) -> Endpoint:
    return Endpoint("fd", fileno=_number("a file descriptor", values["fileno"]))


def _systemd(values: dict[str, str]) -> Endpoint:
    # The domain (INET, INET6, UNIX) that Twisted had to be told is what the socket itself says.
    index = values.get("index")
    return Endpoint(
        "systemd", name=values.get("name", ""), index=None if index is None else _number("an index", index)
    )


def _number(what: str, text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{what} is a number from 0 on, not {text!r}")
    return int(text)


class _Kind(NamedTuple):
    """One kind of endpoint: the key that may go without its name, all keys, who builds it."""

    first: str
    known: set[str]
    build: Callable[[dict[str, str]], Endpoint]
    needs_first: bool = True


#: Keys of Twisted that mean nothing here (backlog, sslmethod and the like) are taken and ignored:
#: TLS is 1.2 or 1.3 and needs no parameters for Diffie-Hellman.
_TCP_KEYS = {"port", "interface", "backlog", "app"}
_TLS_KEYS = {"privateKey", "certKey", "extraCertChain", "sslmethod", "dhParameters", "caCerts", "clientCert"}
_KINDS = {
    "tcp": _Kind("port", _TCP_KEYS, _tcp),
    "ssl": _Kind("port", _TCP_KEYS | _TLS_KEYS, _ssl),
    "unix": _Kind("address", {"address", "mode", "backlog", "lockfile", "app"}, _unix),
    "fd": _Kind("fileno", {"fileno", "app"}, _fd),
    "systemd": _Kind("domain", {"domain", "index", "name", "app"}, _systemd, needs_first=False),
}


def open_sockets(endpoint: Endpoint, backlog: int) -> list[socket.socket]:
    """Bind and listen.

    Args:
        endpoint: where.
        backlog: how many connections may wait to be accepted.

    Returns:
        One socket, or one for each address of a host name, all with the same port, or as many as
        systemd has passed on.

    Raises:
        ListenError: it cannot be done.
    """
    try:
        return _OPENERS[endpoint.kind](endpoint, backlog)
    except OSError as error:
        raise ListenError(error.errno, f"Cannot listen on {describe(endpoint)}: {_advice(error)}.") from error
    except ValueError as error:
        raise ListenError(0, f"Cannot listen on {describe(endpoint)}: {error}.") from None


def _advice(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"{error.strerror}. Choose an address or a name of this machine with -b"
    if error.errno is None:  # as Python itself says that a path is too long
        return _ADVICE[errno.ENAMETOOLONG]
    return _ADVICE.get(error.errno, error.strerror or str(error))


def describe(endpoint: Endpoint) -> str:
    """Say where an endpoint listens, in words for people."""
    if endpoint.kind == "unix":
        return endpoint.path
    if endpoint.kind == "fd":
        return f"file descriptor {endpoint.fileno}"
    if endpoint.kind == "systemd":
        return f"sockets of systemd {endpoint.name}".rstrip()
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host or "0.0.0.0"  # noqa: S104
    return f"{host}:{endpoint.port}"


def _open_tcp(endpoint: Endpoint, backlog: int) -> list[socket.socket]:
    host = endpoint.host or "0.0.0.0"  # noqa: S104  # what Twisted means by no interface
    infos = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    port = endpoint.port
    try:
        for family, _, _, _, address in dict.fromkeys(infos):
            try:
                opened.append(_bind_tcp(family, (address[0], port, *address[2:]), backlog))
            except OSError as error:
                # A name may stand for addresses that are not up here, as ::1 without IPv6.
                if error.errno != errno.EADDRNOTAVAIL or not opened:
                    raise
            port = opened[0].getsockname()[1]
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return opened


def _bind_tcp(family: int, address: tuple[Any, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # So that an IPv4 socket of its own may listen on the same port.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _open_unix(endpoint: Endpoint, backlog: int) -> list[socket.socket]:
    if UNIX is None:
        raise OSError(errno.EAFNOSUPPORT, "this system has no Unix sockets; use -b and -p")
    _remove_stale(endpoint.path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(endpoint.path)
        os.chmod(endpoint.path, endpoint.mode)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return [sock]


def _remove_stale(path: str) -> None:
    """Remove the socket of a server that is gone; whatever else is there stays."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(
                errno.EEXIST, f"{path} exists and is no socket; remove it or choose another path with -u"
            )
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # so many wait for it already that it does not take another one
        raise OSError(errno.EADDRINUSE, "a server listens there")


def _open_fd(endpoint: Endpoint, backlog: int) -> list[socket.socket]:
    return [_listening_at(endpoint.fileno, backlog)]


def _open_systemd(endpoint: Endpoint, backlog: int) -> list[socket.socket]:
    return [_listening_at(number, backlog) for number in passed_descriptors(endpoint.name, endpoint.index)]


def _listening_at(number: int, backlog: int) -> socket.socket:
    sock = socket.socket(fileno=number)
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


_OPENERS = {"tcp": _open_tcp, "unix": _open_unix, "fd": _open_fd, "systemd": _open_systemd}


def address_of(sock: socket.socket) -> tuple[str, int] | str:
    """Return where a socket listens: (host, port), or the path of a Unix socket."""
    name = sock.getsockname()
    return (name[0], name[1]) if isinstance(name, tuple) else os.fsdecode(name)


@functools.lru_cache(maxsize=256)
def known(name: Any) -> Any:
    """Return an address that is equal to ``name``: the same object for all connections that came to it."""
    return name


def address_pair(name: Any) -> Address | None:
    """Turn a socket's name into ASGI's pair: [host, port], or [path, None] for a Unix socket."""
    if isinstance(name, tuple):
        return [name[0], name[1]]
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    return [name, None] if name else None


def remove_unix_socket(sock: socket.socket) -> None:
    """Remove the file of a Unix socket of ours; harmless for any other."""
    if is_unix(sock):
        with contextlib.suppress(OSError):
            os.unlink(sock.getsockname())

"""The ``hosts`` setting: which Redis servers, in all the forms people write it.

=========================================================  ==================================
``("localhost", 6379)``                                    one server
``"redis://user:password@host:6379/0"``                    one server, by URL
``"rediss://host:6380?ssl_ca_certs=/path"``                ... with TLS
``"unix:///run/redis.sock?db=1"``                          ... on a Unix socket
``{"address": url, ...}``, ``{"host": ..., ...}``          ... with options of redis-py
``{"sentinels": [...], "master_name": ..., ...}``          the master that sentinels know
``"redis+sentinel://h1:26379,h2:26379/master_name/db"``    ... by URL
``"redis+cluster://h1:6379,h2:6379"``                      a cluster, found from any of its nodes
=========================================================  ==================================

Several entries are shards: groups and channels are spread over them by their names.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_URL: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)

DEFAULT_HOSTS: Final = ("redis://localhost:6379",)
SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379
DEFAULT_TIMEOUT: Final = 5.0

#: Options that mean nothing here: those of redis-py's pools, because a layer holds few connections, and one
#: that redis-py 6 deprecated with a warning, because it repeats after a timeout anyhow.
_IDLE_OPTIONS: Final = (
    "max_connections",
    "timeout",
    "connection_class",
    "check_connection",
    "retry_on_timeout",
)

Kind = Literal["single", "sentinel", "cluster"]
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """One entry of ``hosts``.

    Attributes:
        kind: what is found there.
        label: how logs and errors call it; holds no password.
        options: keyword arguments of a redis-py connection, the place included if it is known.
        places: the sentinels, or nodes of the cluster to start from.
        master_name: what the sentinels call the master.
        sentinel_options: keyword arguments of connections to the sentinels.
        timeout: seconds Redis may take to answer.
        connect_timeout: seconds a connection may take to be usable.
    """

    kind: Kind
    label: str
    options: Mapping[str, Any] = field(repr=False)
    places: tuple[Place, ...] = ()
    master_name: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    connect_timeout: float = DEFAULT_TIMEOUT


def parse_hosts(hosts: Any) -> tuple[Address, ...]:
    """Return what the setting ``hosts`` says; nothing at all means localhost.

    Raises:
        ValueError: it is no list, or an entry cannot be understood; says which.
        TypeError: an entry has an option that redis-py does not know.
    """
    if isinstance(hosts, str | bytes) and hosts:
        raise ValueError("You must pass a list of Redis hosts, even if there is only one.")
    addresses = tuple(_parse(entry, f"hosts[{n}]") for n, entry in enumerate(hosts or DEFAULT_HOSTS))
    if len(addresses) > 1 and any(address.kind == "cluster" for address in addresses):
        raise ValueError(
            "A cluster is one entry of `hosts` (all its nodes in one URL) and cannot be one shard of "
            f"many, got {len(addresses)} entries."
        )
    return addresses


def _parse(entry: Any, where: str) -> Address:
    if isinstance(entry, str):
        return _from_url(entry, {}, where)
    if isinstance(entry, Mapping):
        return _from_mapping(dict(entry), where)
    if isinstance(entry, Sequence) and not isinstance(entry, bytes) and len(entry) == 2:
        host, port = entry
        place = {"path": host} if str(host).startswith("/") else {"host": host, "port": _port(port, where)}
        return _single(place, where)
    raise ValueError(
        f"{where} must be (host, port), a URL or a dict, got {type(entry).__name__}; "
        'for example ("127.0.0.1", 6379) or "redis://127.0.0.1:6379/0".'
    )


def _from_mapping(options: dict[str, Any], where: str) -> Address:
    if "sentinels" in options:
        sentinels = _pairs(options.pop("sentinels"), where)
        master = options.pop("master_name", None)
        if not master:
            raise ValueError(f"{where} has `sentinels` but no `master_name`.")
        sentinel_options = dict(options.pop("sentinel_kwargs", None) or {})
        return _many("sentinel", sentinels, options, where, master, sentinel_options)
    if "address" in options:
        return _from_url(options.pop("address"), options, where)
    if "port" in options:
        options["port"] = _port(options["port"], where)
    if "host" not in options and "path" not in options:
        raise ValueError(
            f"{where} needs one of the keys host, path, address or sentinels, got {sorted(options)}."
        )
    return _single(options, where)


def _from_url(url: str, options: dict[str, Any], where: str) -> Address:
    parts = _split(url)
    if parts.scheme in ("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"):
        return _from_many_url(parts, options, where)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            f"{where} must begin with redis://, rediss://, unix://, redis+sentinel:// or "
            f"redis+cluster://, got {parts.scheme or 'no scheme'!r}."
        )
    return _single({**_parsed(url, parts.path, where), **options}, where)


def _parsed(url: str, path: str, where: str) -> dict[str, Any]:
    """Return what redis-py reads in a URL; what it would pass over is an error here."""
    database = path.strip("/")
    if not url.startswith("unix:") and database and not database.isdigit():
        raise ValueError(f"{where} must end in the number of a database, such as /0, got {database!r}.")
    try:
        return dict(parse_url(url))
    except ValueError as error:
        raise ValueError(f"{where} is no address: {error}.") from None


def _pairs(sentinels: Any, where: str) -> tuple[Place, ...]:
    try:
        return tuple((str(host), _port(port, where)) for host, port in sentinels)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where} must have `sentinels` as pairs of host and port, such as [('s1', 26379)], "
            f"got {sentinels!r}."
        ) from None


def _port(value: Any, where: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where} needs a number as port, got {value!r}.") from None


def _split(url: str) -> SplitResult:
    """Split as RFC 3986 appendix B does; ``urlsplit`` refuses several hosts where one is IPv6."""
    return SplitResult(*_URL.match(url).groups(""))  # type: ignore[union-attr]  # it fits any text


def _from_many_url(parts: SplitResult, options: dict[str, Any], where: str) -> Address:
    tls, _, kind = parts.scheme.partition("+")
    credentials, _, hosts = parts.netloc.rpartition("@")
    default = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    places = tuple(_place(text, default, where) for text in hosts.split(",") if text)
    if not places:
        raise ValueError(f"{where} names no host.")
    master, _, db = parts.path.strip("/").partition("/")
    if kind == "sentinel" and not master:
        raise ValueError(f"{where} needs the master's name: redis+sentinel://host:26379/master_name.")
    inner = f"{tls}://{credentials}{'@' if credentials else ''}unused/{db}"
    found = _parsed(f"{inner}?{parts.query}" if parts.query else inner, db, where)
    found.pop("host", None)
    sentinel_options = {
        key.removeprefix("sentinel_"): found.pop(key) for key in list(found) if key.startswith("sentinel_")
    }
    merged = {**found, **options}
    if kind == "cluster":
        return _many("cluster", places, merged, where, "", {})
    return _many("sentinel", places, merged, where, unquote(master), sentinel_options)


def _place(text: str, default_port: int, where: str) -> Place:
    split = urlsplit(f"//{text}")
    try:
        return split.hostname or "localhost", split.port or default_port
    except ValueError as error:
        raise ValueError(f"{where}: {error} in {text!r}.") from None


def _single(options: dict[str, Any], where: str) -> Address:
    options, timeouts = _clean(options, where)
    if "path" in options:
        label = f"unix://{options['path']}?{urlencode({'db': options.get('db', 0)})}"
    else:
        scheme = "rediss" if _tls(options) else "redis"
        host, port = options.get("host", "localhost"), options.get("port") or REDIS_PORT
        options.update(host=host, port=port)
        label = f"{scheme}://{_bracketed(host)}:{port}/{options.get('db', 0)}"
    return Address("single", label, options, **timeouts)


def _many(
    kind: Kind,
    places: tuple[Place, ...],
    options: dict[str, Any],
    where: str,
    master: str,
    sentinel_options: dict[str, Any],
) -> Address:
    options, timeouts = _clean(options, where)
    scheme = "rediss" if _tls(options) else "redis"
    hosts = ",".join(f"{_bracketed(host)}:{port}" for host, port in places)
    path = f"/{master}/{options.get('db', 0)}" if kind == "sentinel" else ""
    label = f"{scheme}+{kind}://{hosts}{path}"
    return Address(kind, label, options, places, master, sentinel_options, **timeouts)


def _clean(options: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split off what is ours, and have redis-py judge the rest (no connection is made)."""
    if options.pop("ssl", False) or options.get("connection_class") is SSLConnection:
        options["tls"] = True
    for name in _IDLE_OPTIONS:
        options.pop(name, None)
    connect_timeout = float(options.pop("socket_connect_timeout", None) or DEFAULT_TIMEOUT)
    timeout = float(options.pop("socket_timeout", None) or DEFAULT_TIMEOUT)
    try:
        connection_to(options)
    except TypeError as error:
        raise TypeError(f"{where} has an option that redis-py does not know: {error}") from None
    return options, {"timeout": timeout, "connect_timeout": connect_timeout}


def connection_to(options: Mapping[str, Any], place: Place | None = None) -> Connection:
    """Return a redis-py connection, not connected yet, that never times out by itself."""
    keywords = {"protocol": 2, "retry": Retry(NoBackoff(), 0), **options, "socket_timeout": None}
    tls = keywords.pop("tls", False)
    if place is not None:
        keywords["host"], keywords["port"] = place
    if "path" in keywords:
        return UnixDomainSocketConnection(**keywords)  # type: ignore[return-value]  # same interface
    return SSLConnection(**keywords) if tls else Connection(**keywords)


def _tls(options: Mapping[str, Any]) -> bool:
    return bool(options.get("tls"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def shard_of(name: str | bytes, shards: int) -> int:
    """Return which of ``shards`` servers ``name`` belongs to, as channels_redis 4.3 spreads names."""
    if shards == 1:
        return 0
    data = name.encode() if isinstance(name, str) else name
    return int((binascii.crc32(data) & 0xFFF) / (4096 / shards))

"""The ``hosts`` setting: which Redis servers, in all the forms people write it.

=========================================================  ==========================================
``("localhost", 6379)``                                    one server
``"redis://user:password@host:6379/0"``                    one server, by URL
``"rediss://host:6380?ssl_ca_certs=/path"``                ... with TLS
``"unix:///run/redis.sock?db=1"``                          ... on a Unix socket
``{"address": url, ...}``, ``{"host": ..., ...}``          ... with options of redis-py
``{"sentinels": [...], "master_name": ..., ...}``          the master that sentinels know
``"redis+sentinel://h1:26379,h2:26379/master_name/db"``    ... by URL
``"rediss+sentinel://..."``                                ... with TLS to the sentinels and to the master
``"redis+cluster://h1:6379,h2:6379"``                      a cluster, found from any of its nodes
=========================================================  ==========================================

Several entries are shards: groups and channels are spread over them by their names.
"""

from __future__ import annotations

import binascii
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from channels.layers.redis.hosts.classes import connection_class, is_true, settle_classes
from channels.layers.redis.hosts.urls import ENCODE, options_in, scheme_shown, split_url

DEFAULT_HOSTS: Final = ("redis://localhost:6379",)
SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379
DEFAULT_TIMEOUT: Final = 5.0

#: Options that mean nothing here: those of redis-py's pools, because a layer holds few connections, and one
#: that redis-py 6 deprecated with a warning, because it repeats after a timeout anyhow.
_IDLE_OPTIONS: Final = (
    "max_connections",
    "timeout",
    "check_connection",
    "retry_on_timeout",
)

#: How to write options beside the place of a server.
_AS_DICT: Final = '{"host": "127.0.0.1", "port": 6379, "password": ...}.'

Kind = Literal["single", "sentinel", "cluster"]
Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """One entry of ``hosts``.

    Attributes:
        kind: what is found there.
        label: how logs and errors call it; holds no password.
        options: keyword arguments of a redis-py connection, the place included if it is known.
        endpoints: the sentinels, or nodes of the cluster to start from.
        master_name: what the sentinels call the master.
        sentinel_options: keyword arguments of connections to the sentinels.
        timeout: seconds Redis may take to answer.
        connect_timeout: seconds a connection may take to be usable.
        note: what to tell about the entry although it can be used.
    """

    kind: Kind
    label: str
    options: Mapping[str, Any] = field(repr=False)
    endpoints: tuple[Endpoint, ...] = ()
    master_name: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    connect_timeout: float = DEFAULT_TIMEOUT
    note: str = ""


def parse_entry(entry: Any, where: str) -> Address:
    """Return what one entry of ``hosts`` says.

    Args:
        entry: the entry.
        where: how errors call it, as ``hosts[0]``.

    Raises:
        ValueError: it cannot be understood.
        TypeError: it has an option that redis-py does not know.
    """
    if isinstance(entry, str):
        return _from_url(entry, {}, where)
    if isinstance(entry, Mapping):
        return _from_mapping(dict(entry), where)
    if isinstance(entry, tuple | list) and len(entry) > 1:
        return _from_pair(entry, {}, where)
    raise ValueError(
        f"{where} must be (host, port), a URL or a dict, got {type(entry).__name__}; "
        'for example ("127.0.0.1", 6379) or "redis://127.0.0.1:6379/0".'
    )


def require_one_cluster(addresses: Sequence[Address]) -> None:
    """Raise ValueError if a cluster is one shard of several."""
    if len(addresses) > 1 and any(address.kind == "cluster" for address in addresses):
        raise ValueError(
            "A cluster is one entry of `hosts` (all its nodes in one URL) and cannot be one shard of "
            f"many, got {len(addresses)} entries."
        )


def _from_pair(pair: Sequence[Any], options: dict[str, Any], where: str) -> Address:
    host, port, *rest = pair
    if not isinstance(host, str) or not host:
        raise ValueError(f"{where} needs text as host, got {type(host).__name__}.")
    place = {"path": host} if host.startswith("/") else {"host": host, "port": _port(port, where)}
    address = _single({**place, **options}, where)
    if not rest:
        return address
    note = f"{where}: what stands behind host and port is passed over; write options as a dict, " + _AS_DICT
    return dataclasses.replace(address, note=note)


def _from_mapping(options: dict[str, Any], where: str) -> Address:
    if "sentinels" in options:
        sentinels = _pairs(options.pop("sentinels"), where)
        master = options.pop("master_name", None)
        if not master:
            raise ValueError(f"{where} has `sentinels` but no `master_name`.")
        sentinel_options = dict(options.pop("sentinel_kwargs", None) or {})
        return _many("sentinel", sentinels, options, where, master, sentinel_options)
    if "address" in options:
        address = options.pop("address")
        if isinstance(address, str):
            return _from_url(address, options, where)
        if isinstance(address, tuple | list) and len(address) > 1:
            return _from_pair(address, options, where)
        raise ValueError(
            f"{where} needs a URL or (host, port) as `address`, got {type(address).__name__}; "
            f"or write {_AS_DICT}"
        )
    if "port" in options:
        options["port"] = _port(options["port"], where)
    return _single(options, where)


def _from_url(url: str, options: dict[str, Any], where: str) -> Address:
    parts = split_url(url, where)
    if parts.scheme in ("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"):
        return _from_many_url(parts, options, where)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            f"{where} must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel:// or "
            f"redis+cluster://, got {scheme_shown(url)}."
        )
    return _single(_merged(options_in(url, parts, where), options), where)


def _merged(found: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a URL and those beside it; a class beside it replaces that of the scheme."""
    if found.pop("connection_class", None) is SSLConnection:
        found["tls"] = True
    return {**found, **options}


def _pairs(sentinels: Any, where: str) -> tuple[Endpoint, ...]:
    try:
        return tuple((str(host), _port(port, where)) for host, port in sentinels)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where} must have `sentinels` as pairs of host and port, such as [('s1', 26379)]."
        ) from None


def _port(value: Any, where: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where} needs a number as port, got {type(value).__name__}.") from None


def _from_many_url(parts: SplitResult, options: dict[str, Any], where: str) -> Address:
    tls, _, kind = parts.scheme.partition("+")
    credentials, _, hosts = parts.netloc.rpartition("@")
    default = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    endpoints = tuple(_place(text, default, where) for text in hosts.split(",") if text)
    if not endpoints:
        raise ValueError(f"{where} names no host.")
    master, _, db = parts.path.strip("/").partition("/")
    if kind == "sentinel" and not master:
        raise ValueError(f"{where} needs the master's name: redis+sentinel://host:26379/master_name.")
    theirs, ours = _split_query(parts.query)
    found = _found(tls, credentials, db, ours, where)
    merged = _merged(found, options)
    if kind == "cluster":
        return _many("cluster", endpoints, merged, where, "", {})
    sentinel_options = _merged(_found("redis", "", "", theirs, where), {})
    if tls == "rediss" and is_true(sentinel_options.get("ssl", True)):  # both hops, alike unless told
        sentinel_options = {**_tls_options(found), **sentinel_options}
    return _many("sentinel", endpoints, merged, where, unquote(master), sentinel_options)


def _split_query(query: str) -> tuple[str, str]:
    """Return the options of a query that are for the sentinels, without ``sentinel_``, and the others."""
    items = [item for item in query.split("&") if item]
    theirs = [item.removeprefix("sentinel_") for item in items if item.startswith("sentinel_")]
    return "&".join(theirs), "&".join(item for item in items if not item.startswith("sentinel_"))


def _found(scheme: str, credentials: str, db: str, query: str, where: str) -> dict[str, Any]:
    """Return the options of a part of a URL, as redis-py reads them."""
    url = f"{scheme}://{credentials}{'@' if credentials else ''}unused/{db}{'?' if query else ''}{query}"
    found = options_in(url, split_url(url, where), where)
    found.pop("host", None)
    return found


def _tls_options(options: Mapping[str, Any]) -> dict[str, Any]:
    tls = {key: value for key, value in options.items() if key.startswith("ssl_")}
    return {**tls, "tls": True}


def _place(text: str, default_port: int, where: str) -> Endpoint:
    split = urlsplit(f"//{text}")
    try:
        return split.hostname or "localhost", split.port or default_port
    except ValueError:
        raise ValueError(f"{where} needs a number from 0 to 65535 as port of each host. {ENCODE}") from None


def _single(options: dict[str, Any], where: str) -> Address:
    options, timeouts = _clean(options, where)
    if "path" in options:
        label = f"unix://{options['path']}?{urlencode({'db': options.get('db', 0)})}"
    else:
        scheme = "rediss" if options.get("tls") else "redis"
        host, port = options.get("host") or "localhost", options.get("port") or REDIS_PORT
        options.update(host=host, port=port)
        label = f"{scheme}://{_bracketed(host)}:{port}/{options.get('db', 0)}"
    return Address("single", label, options, **timeouts)


def _many(
    kind: Kind,
    endpoints: tuple[Endpoint, ...],
    options: dict[str, Any],
    where: str,
    master: str,
    sentinel_options: dict[str, Any],
) -> Address:
    options, timeouts = _clean(options, where)
    _judge(sentinel_options, f"`sentinel_kwargs` of {where}")
    scheme = "rediss" if options.get("tls") else "redis"
    hosts = ",".join(f"{_bracketed(host)}:{port}" for host, port in endpoints)
    path = f"/{master}/{options.get('db', 0)}" if kind == "sentinel" else ""
    label = f"{scheme}+{kind}://{hosts}{path}"
    return Address(kind, label, options, endpoints, master, sentinel_options, **timeouts)


def _clean(options: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split off what is ours, and have redis-py judge the rest (no connection is made)."""
    for name in _IDLE_OPTIONS:
        options.pop(name, None)
    connect_timeout = float(options.pop("socket_connect_timeout", None) or DEFAULT_TIMEOUT)
    timeout = float(options.pop("socket_timeout", None) or DEFAULT_TIMEOUT)
    _judge(options, where)
    return options, {"timeout": timeout, "connect_timeout": connect_timeout}


def _judge(options: dict[str, Any], where: str) -> None:
    """Bring the class of connections and the protocol in order; raise for what redis-py would not take."""
    settle_classes(options, where)
    protocol = options.get("protocol", 2)
    if str(protocol) not in ("2", "3"):
        raise ValueError(f"{where} needs 2 or 3 as `protocol`, got {protocol!r:.20}.")
    if "protocol" in options:
        options["protocol"] = int(protocol)
    without = sorted(name for name in options if name.startswith("ssl_"))
    if without and not options.get("tls"):
        raise TypeError(f'{where} has {", ".join(without)} but no TLS: write rediss:// or "ssl": True.')
    if "connection_class" in options:
        return  # what a class of somebody's own takes shows when it is made
    try:
        connection_to(options)
    except TypeError as error:
        raise TypeError(f"{where} has an option that redis-py does not know: {error}") from None


def connection_to(options: Mapping[str, Any], endpoint: Endpoint | None = None) -> Connection:
    """Return a redis-py connection, not connected yet, that never times out by itself.

    It speaks RESP2 whatever ``protocol`` says: in RESP3 one's own messages may come before the reply to
    the command that published them.
    """
    keywords = {"retry": Retry(NoBackoff(), 0), **options, "socket_timeout": None, "protocol": 2}
    for name in ("tls", "connection_class", "sync_connection_class"):
        keywords.pop(name, None)
    if endpoint is not None:
        keywords["host"], keywords["port"] = endpoint
    connection: Connection = connection_class(options)(**keywords)
    return connection


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def shard_of(name: str | bytes, shards: int) -> int:
    """Return which of ``shards`` servers ``name`` belongs to, as channels_redis 4.3 spreads names."""
    if shards == 1:
        return 0
    data = name.encode() if isinstance(name, str) else name
    return int((binascii.crc32(data) & 0xFFF) / (4096 / shards))

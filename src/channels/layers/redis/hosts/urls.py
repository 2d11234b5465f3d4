"""The URLs of ``hosts``: what is wrong with one is said without a part of it that may be a password."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import SplitResult

from redis.asyncio.connection import parse_url

_URL: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}", re.IGNORECASE)
_OPTION: Final = re.compile(r"[a-z_]+=", re.IGNORECASE)

ENCODE: Final = (
    "Characters such as # / ? @ : % in a user name or a password have to be percent-encoded, as "
    'urllib.parse.quote(password, safe="") does.'
)


def split_url(url: str, where: str) -> SplitResult:
    """Split as RFC 3986 appendix B does; ``urlsplit`` refuses several hosts where one is IPv6.

    Raises:
        ValueError: it has an ``@`` where a user name and password have ended already.
    """
    parts = SplitResult(*_URL.match(url).groups(""))  # type: ignore[union-attr]  # it fits any text
    if _has_stray_credentials(parts):
        raise ValueError(f"{where} cannot be parsed as a URL. {ENCODE}")
    return parts


def _has_stray_credentials(parts: SplitResult) -> bool:
    """Whether something before an ``@`` was taken for a path, a query or a fragment."""
    if parts.scheme == "unix":
        return "@" in parts.path and bool(parts.netloc) and "@" not in parts.netloc
    if "@" in parts.path or "@" in parts.fragment:
        return True
    return any("@" in item and not _OPTION.match(item) for item in parts.query.split("&"))


def scheme_shown(url: str) -> str:
    """Return the scheme of a URL for an error; what stands before a colon may be a user name."""
    scheme, separator, _ = url.partition("://")
    return repr(scheme) if separator and _SCHEME.fullmatch(scheme) else "no scheme"


def options_in(url: str, parts: SplitResult, where: str) -> dict[str, Any]:
    """Return what redis-py reads in a URL; what it would pass over is an error here.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        options = dict(parse_url(url))
    except ValueError as error:
        text = str(error).rstrip(".") if "port" not in str(error).lower() else "its port is no port number"
        raise ValueError(f"{where} is no address: {text}. {ENCODE}") from None
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdigit():
        raise ValueError(f"{where} must end in the number of a database, such as /0, got {database!r}.")
    return options

"""Targets of requests in the log: without what is nobody's business, and without what would end a line.

Query strings carry tokens and signatures. Only the access log shows them, where it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import unquote_plus

from channels.server.config import Config

#: What stands for a value that is not shown.
MASK = "***"
_border = re.compile("([&;])").split


def path_of(target: bytes) -> str:
    """Return a target without its query string, quotation marks escaped; a target holds no control bytes."""
    text = target.partition(b"?")[0].decode("ascii", "replace")
    return text.replace('"', "%22") if '"' in text else text


def shown(target: str, config: Config) -> str:
    """Return a target, or the URL of a Referer, as the access log may show it."""
    path, mark, query = target.partition("?")
    if not mark or not config.access_log_query:
        return path
    return f"{path}?{masked(query, _lowered(config.access_log_mask))}"


@lru_cache(maxsize=16)
def _lowered(keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(key.lower() for key in keys)


def masked(query: str, keys: Collection[str]) -> str:
    """Return a query string in which :data:`MASK` stands for the values of some keys, given in lower case."""
    return "".join([_masked(part, keys) for part in _border(query)])


def _masked(part: str, keys: Collection[str]) -> str:
    name, mark, _ = part.partition("=")
    key = unquote_plus(name).partition("[")[0].strip().lower()
    return f"{name}={MASK}" if mark and key in keys else part

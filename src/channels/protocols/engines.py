"""Which library reads HTTP/1.1, by name.

zttp is the default where it can be imported. h11 is pure Python, works everywhere, and takes the
heads that are larger than zttp's fixed limits, so that our limits mean the same with both.
"""

from __future__ import annotations

from channels.protocols import http1_h11
from channels.protocols.http1_message import RawHead, ReadChunks, ReadHead

try:
    from channels.protocols import http1_zttp
except ImportError:  # no wheel for this platform or interpreter
    http1_zttp = None  # type: ignore[assignment]


def _read_with_zttp(head: bytes) -> tuple[RawHead, ReadChunks]:
    fields = head.count(b"\r\n") - 2  # less the request line and the empty line
    if len(head) > http1_zttp.MAX_HEAD_BYTES or fields > http1_zttp.MAX_HEAD_FIELDS:
        return http1_h11.read_head(head)
    return http1_zttp.read_head(head)


HTTP1_ENGINES: dict[str, ReadHead] = {"h11": http1_h11.read_head}
if http1_zttp is not None:
    HTTP1_ENGINES = {"zttp": _read_with_zttp, **HTTP1_ENGINES}

DEFAULT_HTTP1_ENGINE = next(iter(HTTP1_ENGINES))


def http1_engine(name: str | None = None) -> ReadHead:
    """Find an engine.

    Args:
        name: "zttp" or "h11"; None for the default, the first that can be imported in that order.

    Raises:
        ValueError: there is no such engine, or it is not installed.
    """
    try:
        return HTTP1_ENGINES[name or DEFAULT_HTTP1_ENGINE]
    except KeyError:
        known = ", ".join(HTTP1_ENGINES)
        raise ValueError(f"No HTTP/1.1 engine {name!r}: use one of {known}, or install {name!r}.") from None

"""Who reads HTTP/1.1 and HTTP/2, by name.

HTTP/1.1: zttp is the default where it can be imported; h11 is pure Python and works everywhere.
HTTP/2: our own engine is the default, as it is several times as fast; h2 is the proven one.
"""

from __future__ import annotations

from collections.abc import Callable

from channels.protocols.http.malformed import ReadHead
from channels.protocols.http1 import engine_h11 as http1_h11
from channels.protocols.http2.engine import Engine, HTTP2Limits
from channels.protocols.http2.engine_h2 import H2Engine
from channels.protocols.http2.engine_native import NativeEngine

try:
    from channels.protocols.http1 import engine_zttp as http1_zttp
except ImportError:  # no wheel for this platform or interpreter
    http1_zttp = None  # type: ignore[assignment]

HTTP1_ENGINES: dict[str, ReadHead] = {"h11": http1_h11.read_head}
if http1_zttp is not None:
    HTTP1_ENGINES = {"zttp": http1_zttp.read_head, **HTTP1_ENGINES}

DEFAULT_HTTP1_ENGINE = next(iter(HTTP1_ENGINES))

#: Made with limits, and the value of HTTP2-Settings after an upgrade.
NewHTTP2Engine = Callable[[HTTP2Limits, bytes | None], Engine]
HTTP2_ENGINES: dict[str, NewHTTP2Engine] = {"native": NativeEngine, "h2": H2Engine}
DEFAULT_HTTP2_ENGINE = next(iter(HTTP2_ENGINES))


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


def http2_engine(name: str | None = None) -> NewHTTP2Engine:
    """Find an engine.

    Args:
        name: "native" or "h2"; None for the default, the first of them.

    Raises:
        ValueError: there is no such engine.
    """
    try:
        return HTTP2_ENGINES[name or DEFAULT_HTTP2_ENGINE]
    except KeyError:
        raise ValueError(f"No HTTP/2 engine {name!r}: use one of {', '.join(HTTP2_ENGINES)}.") from None

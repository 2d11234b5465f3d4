"""The engines that read HTTP/2, by name.

Our own engine is the default, as it is several times as fast; h2 is the proven one.
"""

from __future__ import annotations

from collections.abc import Callable

from channels.protocols.http2.engine import Engine, HTTP2Limits
from channels.protocols.http2.engine_h2 import H2Engine
from channels.protocols.http2.engine_native import NativeEngine

#: Made with limits, and the value of HTTP2-Settings after an upgrade.
NewHTTP2Engine = Callable[[HTTP2Limits, bytes | None], Engine]
HTTP2_ENGINES: dict[str, NewHTTP2Engine] = {"native": NativeEngine, "h2": H2Engine}
DEFAULT_HTTP2_ENGINE = next(iter(HTTP2_ENGINES))


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

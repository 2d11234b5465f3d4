"""The engines that read HTTP/1.1, by name.

zttp is the default where it can be imported; h11 is pure Python and works everywhere.
"""

from __future__ import annotations

from channels.protocols.http.malformed import ReadHead
from channels.protocols.http1 import engine_h11 as http1_h11

try:
    from channels.protocols.http1 import engine_zttp as http1_zttp
except ImportError:  # no wheel for this platform or interpreter
    http1_zttp = None  # type: ignore[assignment]

HTTP1_ENGINES: dict[str, ReadHead] = {"h11": http1_h11.read_head}
if http1_zttp is not None:
    HTTP1_ENGINES = {"zttp": http1_zttp.read_head, **HTTP1_ENGINES}

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

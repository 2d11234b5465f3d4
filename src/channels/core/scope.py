"""The scope of a connection as type checkers see it: known keys have their types, own keys are free.

It would be a TypedDict with ``extra_items`` (PEP 728); mypy does not know these yet. At run time a scope
is whatever the server and the middleware made, a dict as a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

__all__ = ["ConnectionScope", "UrlRoute"]


class UrlRoute(TypedDict):
    """What a URLRouter has found in the path: the arguments of the routes, from the outside in."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

    _Text = Literal[
        "type", "path", "root_path", "scheme", "method", "http_version", "path_remaining", "channel"
    ]

    class ConnectionScope(dict[str, Any]):
        """What ``scope[key]`` gives."""

        @overload
        def __getitem__(self, key: _Text, /) -> str: ...
        @overload
        def __getitem__(self, key: Literal["raw_path", "query_string"], /) -> bytes: ...
        @overload
        def __getitem__(self, key: Literal["headers"], /) -> list[tuple[bytes, bytes]]: ...
        @overload
        def __getitem__(self, key: Literal["subprotocols"], /) -> list[str]: ...
        @overload
        def __getitem__(self, key: Literal["cookies"], /) -> dict[str, str]: ...
        @overload
        def __getitem__(self, key: Literal["session"], /) -> SessionBase: ...
        @overload
        def __getitem__(self, key: Literal["url_route"], /) -> UrlRoute: ...
        @overload
        def __getitem__(self, key: Literal["asgi", "extensions"], /) -> dict[str, Any]: ...
        @overload
        def __getitem__(self, key: str, /) -> Any: ...
        def __getitem__(self, key: str, /) -> Any:
            """Return the value of a key; any for own keys, and for "user", whose model is yours."""

else:
    ConnectionScope = dict

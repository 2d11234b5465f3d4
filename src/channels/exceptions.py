"""Every exception of the package, in one tree.

::

    ChannelsError
      InvalidChannelLayerError    (ValueError)   CHANNEL_LAYERS names something unusable
      ChannelFull                                a channel is over its capacity
      ChannelLayerUnavailable     (ConnectionError)     a backend cannot be reached
      MessageTooLarge                            a message is over what a backend carries
      InvalidMessageError         (TypeError, AssertionError)   a layer was given no dict
      InvalidHeadersError         (ValueError, TypeError)   headers of a response are not pairs of bytes
      RouteNotFound               (ValueError)   no route for the path of a scope
      ThreadPoolExhausted                        no thread for sync code is to be had
      RequestAborted                             the peer went away while its request was read
      RequestTimeout              (RequestAborted) ... because it took too long
    ConsumerSignal                               control flow, never an error
      AcceptConnection
      DenyConnection
      StopConsumer

Faults and signals have different bases, so that ``except ChannelsError`` never
swallows the end of a consumer.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

#: How much of two texts is the same if one was meant by the other.
_ALIKE: Final = 0.6
#: Comparing is work, and paths come from outside: routes, letters and parts of a path.
_MOST_COMPARED, _LONGEST_COMPARED, _MOST_PARTS = 30, 200, 8
#: What stands for a part of a path in a route.
_VARIABLE: Final = re.compile(r"[<(\[\\*+]")


class ChannelsError(Exception):
    """Base of everything that can go wrong in this package."""


class InvalidChannelLayerError(ChannelsError, ValueError):
    """The ``CHANNEL_LAYERS`` setting names a layer that cannot be used."""


class ChannelFull(ChannelsError):
    """A message cannot be sent because its channel is over capacity."""


class ChannelLayerUnavailable(ChannelsError, ConnectionError):
    """What carries a layer's messages cannot be reached, or does not answer.

    Args:
        args: the sentence for people; it names the address, never a password, and what to try.
    """


class MessageTooLarge(ChannelsError):
    """A message is larger than what the layer carries.

    Args:
        args: the sentence for people; backends state both sizes, in bytes.
    """


class InvalidMessageError(ChannelsError, TypeError, AssertionError):
    """A layer was given something that is not a message; an AssertionError for callers of 4.3."""


class InvalidHeadersError(ChannelsError, ValueError, TypeError):
    """An application's headers are not pairs of bytes.

    A ValueError, as code for Daphne expects, and a TypeError, as it is one.
    """


class RouteNotFound(ChannelsError, ValueError):
    """No route matches the path of a scope.

    Args:
        path: what was left of the path, without its leading slash.
        routes: the patterns that were tried, in order, as they were written.
    """

    def __init__(self, path: str, routes: Sequence[str] = ()) -> None:
        super().__init__(path, tuple(routes))
        self.path = path
        self.routes = tuple(routes)

    def __str__(self) -> str:
        """The sentence that callers of 4.3 match on, then what would have matched."""
        known = ", ".join(repr(route) for route in self.routes) or "none"
        near = nearest_route(self.path, self.routes)
        guess = f"Did you mean {near!r}? " if near else ""
        return f"No route found for path {self.path!r}. {guess}Known routes: {known}."


def nearest_route(path: str, routes: Sequence[str]) -> str | None:
    """Return the route that was probably meant by ``path``; None if none is like it.

    What stands for a part of the path is not compared.

    Args:
        path: without its leading slash.
        routes: patterns of ``path()`` and ``re_path()``, as they were written.
    """
    parts = path[:_LONGEST_COMPARED].split("/")[:_MOST_PARTS]
    best = max(routes[:_MOST_COMPARED], key=lambda route: _likeness(route, parts), default=None)
    return best if best is not None and _likeness(best, parts) >= _ALIKE else None


def _likeness(route: str, parts: list[str]) -> float:
    """Return how much of a route's fixed text is in ``parts``, from 0 to 1."""
    written = route.removeprefix("^").removesuffix("$").removesuffix("\\Z").split("/")
    fixed = [part for part in written if part and not _VARIABLE.search(part)]
    found = sum(len(part) for part in fixed if difflib.get_close_matches(part, parts, n=1, cutoff=_ALIKE))
    return found / max(1, sum(map(len, fixed)))


class ThreadPoolExhausted(ChannelsError):
    """No thread of the pool for sync code is to be had, and none will be soon.

    Args:
        args: the sentence for people; it names the settings.
    """


class RequestAborted(ChannelsError):
    """The peer closed the request before its body was complete."""


class RequestTimeout(RequestAborted):
    """The request took too long."""


class ConsumerSignal(Exception):
    """Base of what a handler raises to steer its connection."""


class AcceptConnection(ConsumerSignal):
    """Raised in ``connect()``: accept the connection."""


class DenyConnection(ConsumerSignal):
    """Raised in ``connect()``: refuse the connection."""


class StopConsumer(ConsumerSignal):
    """Raised in a handler: the consumer is done, its task ends without an error."""

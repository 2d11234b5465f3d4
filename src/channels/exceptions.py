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

from collections.abc import Sequence


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
        return f"No route found for path {self.path!r}. Known routes: {known}."


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

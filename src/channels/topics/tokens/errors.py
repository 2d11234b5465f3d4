"""What can be wrong with a token. No error of these ever shows the token, a key or a claim."""

from __future__ import annotations

from channels.exceptions import ChannelsError


class TokenError(ChannelsError):
    """Base of what :mod:`channels.topics.tokens` raises about a token.

    Args:
        args: the sentence for people.
    """


class TokenExpired(TokenError):
    """A token is no longer valid, or not yet. The client is to fetch another one (error 109)."""


class TokenInvalid(TokenError):
    """A token is malformed, is signed by nobody we know, or says what it may not; a retry is of no use."""


class TokenKeysUnavailable(TokenError, ConnectionError):
    """The key that a token names cannot be fetched at the moment. The client may try again (error 100)."""

"""What errors of tokens are."""

from __future__ import annotations

import pytest

from channels.exceptions import ChannelsError
from channels.topics.tokens.errors import TokenError, TokenExpired, TokenInvalid, TokenKeysUnavailable


@pytest.mark.parametrize("kind", [TokenExpired, TokenInvalid, TokenKeysUnavailable])
def test_all_are_errors_of_tokens(kind: type[TokenError]) -> None:
    assert issubclass(kind, TokenError)
    assert issubclass(kind, ChannelsError)
    assert issubclass(kind, ConnectionError) is (kind is TokenKeysUnavailable)

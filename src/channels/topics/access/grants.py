"""What a token lets a client have of a topic, whatever ``may_subscribe`` says."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Raw

from channels.protocols.centrifuge.codec import EncodingError
from channels.protocols.centrifuge.json_codec import json_payload
from channels.protocols.centrifuge.messages import EMPTY
from channels.topics.tokens.claims import Override, SubscriptionToken, TokenSubscription
from channels.topics.tokens.errors import TokenInvalid
from channels.topics.tokens.verification import averify_subscription_token


class Grant(NamedTuple):
    """A subscription as a token describes it.

    Attributes:
        info: JSON that others see beside the subscriber.
        data: what the client gets with the subscription, as JSON.
        override: what is decided instead of the topic.
        expires_at: when it ends without a refresh, seconds since 1970; 0: never.
    """

    info: Raw = EMPTY
    data: Raw = EMPTY
    override: Override = Override()
    expires_at: float = 0.0


#: Of a subscription without a token: all is as the topic says.
UNGRANTED: Final = Grant()


def grant_of(token: TokenSubscription | SubscriptionToken, expires_at: float = 0.0) -> Grant:
    """Return what a token says of a subscription.

    Raises:
        TokenInvalid: its info or data is no JSON.
    """
    return Grant(as_json(token.info), as_json(token.data), token.override, expires_at)


async def granted_by(text: str, user: str, client: str, channel: str) -> Grant | None:
    """Return what a subscription token grants; None if it is for somebody else, or for another topic.

    Args:
        text: the token.
        user: the id of the user that sent it, "" for an anonymous user.
        client: the id of their client.
        channel: the name of the topic.

    Raises:
        TokenError: see :func:`~channels.topics.tokens.verification.averify_subscription_token`.
    """
    token = await averify_subscription_token(text)
    if not token.is_for(user, client, channel):
        return None
    return grant_of(token, token.expire_at or 0.0)


def as_json(claim: bytes) -> Raw:
    """Return what a token says in a claim of its issuer's.

    Raises:
        TokenInvalid: it is no JSON: clients that speak JSON could not be told.
    """
    try:
        return json_payload(claim) if claim else EMPTY
    except EncodingError:
        raise TokenInvalid("What a b64 claim holds is no JSON.") from None

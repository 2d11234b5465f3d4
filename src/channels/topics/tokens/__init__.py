"""Tokens (JWT, RFC 7519) with Centrifugo's claims: who connects, and who subscribes to what.

``verification`` checks a signature and hands the claims to ``claims``, which makes values with types of them.
``configuration`` reads the settings; ``keys`` says which algorithms a key is for, and ``jwks`` reads sets of
keys of others. ``issuing`` makes tokens for the clients of a view.

What must go on to hold: no error, log or fact has a token, a secret or a claim in it, and what a token says
of itself never widens what it may be verified by.
"""

from channels.topics.tokens.claims import Override, TokenSubscription
from channels.topics.tokens.issuing import create_connection_token, create_subscription_token

__all__ = ["Override", "TokenSubscription", "create_connection_token", "create_subscription_token"]

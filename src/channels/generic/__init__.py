"""Generic consumers: WebSocket and HTTP handlers with methods to override instead of ASGI messages.

:mod:`~channels.generic.websocket` and :mod:`~channels.generic.http` have one async and one sync class for
each protocol. They hold no logic of their own: :mod:`~channels.generic.messages` builds the ASGI messages
and checks their arguments, the same for both kinds, and :mod:`~channels.generic.codec` encodes and decodes
JSON with errors that name the path to what cannot be encoded.

Users subclass these classes, so no name may be added to them: helpers are functions beside them.
"""

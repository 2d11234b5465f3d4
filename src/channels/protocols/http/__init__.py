"""What HTTP means in any version (RFC 9110): grammar, requests, the opening handshake, responses.

Pure functions and values over the fields of one message; no version's framing is known here.

- ``abnf``: each rule of the grammar once, with its section.
- ``malformed``: the contract of HTTP/1.1 engines, and the characters that no head may hold.
- ``semantics``: what a well-formed head means, and which status refuses it.
- ``upgrade``: whether a request may open a WebSocket.
- ``underscores``: names that an application could take for others.
- ``fields``, ``response_rules``: what may be sent, whichever version writes it.
"""

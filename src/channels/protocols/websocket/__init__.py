"""A WebSocket behind its opening handshake (RFC 6455), compressed where that was agreed (RFC 7692).

``handshake`` writes the answer that opens it; whether a request may is judged in
:mod:`channels.protocols.http.upgrade`. ``connection`` reads frames and keeps the state; of the
websockets library it uses ``Frame``, ``Close`` and the function that masks. ``fragments`` puts messages
together, ``limits`` bounds them, ``frames`` makes what is sent, once for however many sockets, and
``permessage_deflate`` negotiates, deflates and inflates.
"""

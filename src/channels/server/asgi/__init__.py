"""Requests and WebSockets as ASGI: scope, events, response, and the run of the application.

A ``stream`` is one scope and one run of the application; ``http`` and ``websocket`` are its two kinds.
``websocket`` has the steps of the handshake, of sending and of closing, ``websocket_reading`` what the peer
says.
The connection makes a stream, tells it what the peer has sent, and learns what to send through an
Exchange or a Link. Nothing here knows a socket or a version of HTTP.

``response`` and ``handshake`` judge what the application says; ``event_queue`` bounds what waits for it.
An application that is behind stops the reading of its connection, and a slow peer lets ``send()`` wait.
"""

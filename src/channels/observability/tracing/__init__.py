"""Traces by OpenTelemetry: requests, handshakes, messages, publications and tasks, as spans.

``asgi`` opens a span for each request and each handshake, ``messages`` one for each message that is sent or
handled, with links between the two, ``facts`` those of topics and tasks. ``setup`` turns all of it on.
"""

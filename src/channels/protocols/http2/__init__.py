"""HTTP/2 on one connection (RFC 9113), and WebSockets over it (RFC 8441).

``connection`` cuts bytes into frames (``frames``, which also counts floods) and gives them to an engine
(``engines``: native or h2), which keeps HPACK (``hpack``), the states of streams and the windows
(``flow_control``). What the engine tells is judged in ``semantics`` and becomes events. ``response``
writes, a frame of each stream in turn; ``stream`` keeps what waits for a window. ``frame_checks`` has
the rules about single frames that the native engine applies.

An error of one request resets its stream, an error of the framing ends the connection: which is which is
decided where the exception is raised (``MalformedRequest`` or ``ConnectionFault``).
"""

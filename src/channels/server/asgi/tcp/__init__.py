"""TCP as ASGI events: ``stream`` is one connection and the run of the application behind it.

``inbox`` holds what the application has not taken yet, within its bound. The events are described in
docs/reference/asgi-tcp.md, as an extension of ASGI that other servers could serve as well.
"""

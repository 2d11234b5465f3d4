"""One connection and the protocol that it speaks.

``connection`` is the shell: what asyncio tells of a socket, writes collected over a turn of the loop, and
the time limits of a peer that does not read. Its reading is in ``reading``. A Handler understands the
bytes: first ``proxy_protocol`` where a proxy is expected, then the ProtocolSniffer, then ``http1`` or
``http2``, and at last perhaps a WebSocket's stream. Only ``Connection.switch_handler`` changes it.
``http2_exchange`` is what one stream of HTTP/2 is to the application. Handlers see the shell through
``interfaces``.
"""

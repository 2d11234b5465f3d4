"""The ASGI server. It knows ASGI; it knows nothing of Django, layers or consumers.

The way of a byte: ``accept`` takes a socket and makes a ``connection``. Its handler feeds the bytes to a
protocol of :mod:`channels.protocols`, which does no I/O, and hands each event to a stream in ``asgi``.
The stream runs the application for one scope: it keeps the events until ``receive`` takes them, judges
what ``send`` is given, and writes through the Exchange or the Link of :mod:`~channels.server.interfaces`
that carries it.

The folders are a ladder, from top to bottom; a contract of import-linter keeps it so:

- ``cli``, ``in_thread``: a server from a command line, or in a thread of a test;
- ``processes``: the supervisor, its workers, reload;
- ``server``: one process, from its first socket to its end;
- ``accept``, ``lifecycle``: how connections come, how the process starts and stops;
- ``connection``, ``asgi``: bytes of one peer, requests and WebSockets of the application;
- ``interfaces``, ``runtime``: the Protocols between these two, and what all connections of a process share;
- ``limits``, ``reports``: what one peer may take, what the server tells;
- ``endpoints``, ``loops``, ``control_channel``, ``config``, ``proxies``, ``io``: what those stand on.

All of it but the supervisor runs in the thread of one event loop. State has one owner: a connection
changes its handler in ``switch_handler``, and counts of the process are the runtime's. Each wait has a
time limit, kept by one timer wheel; each buffer has a bound, named in ``docs/reference/limits.md``.
Programs use ``config``, ``server`` and ``in_thread``; all other modules may change from one release to
the next.
"""

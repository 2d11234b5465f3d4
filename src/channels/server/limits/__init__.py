"""What one peer may take of a process that serves many.

``connection_limits`` and ``bodies`` count by address, ``fd_limits`` knows the process's descriptors,
``rate_limit`` and ``keepalive`` are about one connection, and ``turns`` shares the event loop between
those with much to parse. Each is pure, or nearly so: the time is an argument, and whoever asks acts on
the answer.
"""

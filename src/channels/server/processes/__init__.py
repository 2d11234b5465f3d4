"""Many processes behind the same sockets, for ``--workers`` and ``--reload``.

The ``supervisor`` opens the sockets and keeps each worker's place taken; a ``child`` is one worker as the
supervisor sees it, the worker's own side is :mod:`channels.server.control_channel`. ``reload`` replaces
the only worker when a file changes. The supervisor imports nothing of the application.
"""

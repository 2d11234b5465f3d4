"""One client's session: what it asks for, what it gets, and when it ends.

``session.py`` is the life of a session, whatever transport carries it. ``commands.py`` is the table of
commands; ``connecting.py`` says who the client is; ``subscribing.py`` joins what was published before with
what comes; ``reading.py`` answers about history and presence; ``publishing.py`` takes publications and
calls. ``outbox.py`` collects what leaves in one turn of the loop, and holds what a slow client has not read.
``heartbeat.py`` pings.

A handler returns a result, raises :class:`~channels.topics.session.errors.CommandFailed` (the reply is an
error, the connection lives), or :class:`~channels.topics.session.errors.Disconnected`.
"""

"""Who is connected, where a message is, what is done in the background: live pages for staff, and a command.

The app ``channels.inspector`` makes each process that serves answer questions
(:mod:`channels.observability.fleet`), and has ``manage.py realtime``.
"""

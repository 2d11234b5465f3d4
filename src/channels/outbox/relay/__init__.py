"""The relay of the outbox: what runs in each process that serves.

``relays.py`` starts and stops one :class:`~channels.outbox.relay.relay.Relay` for each database; its
thread looks at the tables when it is woken and at each poll. ``messages.py`` sends messages, in one process
at a time, in order; ``hooks.py`` claims hook calls, in all processes, and runs them in ``threads.py``;
``leases.py`` says who may do what, and takes over from a process that was killed.
"""

"""Sync code in threads: handlers, pages and database calls, beside an event loop that must not wait for them.

The way through the room, from a connection to a thread:

- :mod:`~channels.sync.context`: each connection has a thread-sensitive context. It is how asgiref, and
  everything that calls ``sync_to_async``, finds the *strand* of the connection.
- :mod:`~channels.sync.strands`: a strand is a serial queue of work; a worker is one thread.
- :mod:`~channels.sync.pool` chooses which worker does the next work of which strand. Its docstring
  has the rules: fairness, transactions that bind a strand to a thread, threads that requests reserve.
- :mod:`~channels.sync.growth` and :mod:`~channels.sync.saturation` say when one more thread helps, and
  what happens when there is none.
- :mod:`~channels.sync.call` is one call with its way back: a result, and messages to send meanwhile.
  :mod:`~channels.sync.calls` is its plain form with a Future, for asgiref.
- :mod:`~channels.sync.bridge` wakes the event loop for threads, once for many of them.
- :mod:`~channels.sync.batch` makes short calls of many connections in one thread, in a row.
- :mod:`~channels.sync.send` is ASGI's ``send`` for sync handlers.

The pool knows no databases: what looks after them in its threads are its *hooks*
(:class:`channels.core.database.DatabaseHooks`), which ``context`` gives to the pool of the process.
Whatever is called under the pool's lock must neither block nor raise. A forked process starts with an
empty pool: what keeps threads or queues registers its ``reset``
with :func:`channels.process.platforms.after_fork_in_child`.
"""

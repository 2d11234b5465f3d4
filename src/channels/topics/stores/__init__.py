"""Stores of topics: streams with positions, presence, and their way to other processes.

``base.py`` is the contract. ``memory.py`` serves one process, ``host/`` the processes of one machine,
``redis/`` many machines. They are siblings, and none knows a client or a Topic class: names, publications
and positions only. ``receivers.py``, shared by them, is who in this process is told; ``manager.py`` is the
one reader of the setting.

The way of a publication: ``publish`` numbers it and carries it in one step; in each process that
subscribed the store calls ``received`` of the receivers (:class:`channels.topics.delivery.hub.Hub`, one per
event loop), in the order of offsets.

What to keep in mind when this is changed: processes of an earlier release read what is written here. A
receiver's methods are called under locks and in other threads, so they only put things into a queue.
"""

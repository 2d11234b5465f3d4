"""Sessions that last, kept in the store of topics, so that a client may come back to another process.

A session's record (``record.py``) has what a process needs to go on with it: subscriptions, packet
identifiers, and for each topic the position up to which the client has got its publications. What it has
missed is in the topic's history and is read from there (``missed.py``); nothing is copied for each client.
``durable.py`` writes the record, each time under a higher version: the upper bits are the number of the
process that has it, so that one which was overtaken is refused, and ends its connection.
"""

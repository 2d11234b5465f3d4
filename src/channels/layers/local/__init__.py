"""Delivery inside one process, which all backends share: channels, groups, fan-out and counts of drops.

The way of a message to a group: :class:`delivery.LocalDelivery` knows the group's members and groups them
by event loop; a :class:`fanout.Fanout` per group and loop puts a copy on each member's
:class:`channel.LocalChannel` and wakes the members once. Broadcasts of one turn of the loop are collected
and written past the consumers (``channels.core.broadcast``).

- ``channel.py``: the unread messages of one channel, and whoever receives them.
- ``channel_groups.py``: which groups a channel is in. ``drops.py``: what was dropped, counted and logged.
- ``values.py``: which values travel, and how a receiver gets a copy of its own.

What to keep in mind when this is changed: any thread may send. Tables are changed by single operations of
dicts and deques, and copied before a loop over them; an order that matters to another thread has a
comment. Nothing is dropped without a count. Imports go down: ``delivery``, ``fanout``, ``channel``, then
the rest.
"""

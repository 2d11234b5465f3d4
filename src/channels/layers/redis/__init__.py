"""The layers over Redis: one server, many shards, Sentinel, or a cluster; Redis 6 to 8 and Valkey.

Groups and the channels of connections are carried by publish/subscribe. Named channels are queues in
Redis, which workers share (``queues/``, with the Lua that runs there).

The way of a group's message: :meth:`layer.RedisChannelLayer.group_send` has the engine check and
serialize it, ``node.py`` publishes it under the group's topic, ``connect/`` seals it with a sequence
number (``wire/``) and pipelines it with what else the loop sends. In each process that has members,
``subscriptions/`` reads it, opens it, notices gaps, and delivers it through ``channels.layers.local``.

- ``layer.py``, ``pubsub.py``: the classes that projects name; no machinery under names of theirs.
- ``engine.py``: what works for a layer. ``sync.py``: the same for code without an event loop.
- ``node.py``: what this process listens to and which memberships it keeps; ``groups.py``: who is in a
  group.
- ``per_loop.py``: the connections of each event loop, and which loop has the subscriptions.
- ``interfaces.py``: what the lower ones use of the engine and the layer, which they must not import.
- ``connect/``: connections, commands, fail-over. ``hosts/``: the setting ``hosts``. ``wire/``: bytes in
  Redis.

What to keep in mind when this is changed: processes of an earlier release read what is written here, so
names of keys and envelopes stay. Every key of a script is in KEYS and has the queue's hash tag. A command
that may be made twice says so (``tries``). Nothing blocks a connection that others share.
"""

"""The store over Redis 6 to 8 or Valkey: one server, shards, Sentinel or Cluster.

``store.py`` is the store, ``sync.py`` the same for code without a loop. ``requests.py`` says what is asked
of Redis and what an answer means, for both; the scripts are the files in ``lua/``, one for each step that
must not be torn apart. ``listener.py`` is what a process is subscribed to. Hosts, connections and
subscriptions are those of the layer (:mod:`channels.layers.redis`).

What is in Redis, for each topic, with one hash tag: a stream (``s``), whose entries have the offset and the
time as their id; its facts (``m``); for each idempotency key where it led to (``i:``); who is present
(``p``, ``l``, ``u``). What is published to a topic goes to the channel that has the name of its stream.

What to keep in mind when this is changed: processes of an earlier release, on other machines, read and write
the same keys at the same time.
"""

from __future__ import annotations

from channels.topics.stores.redis.store import RedisStore

__all__ = ["RedisStore"]

"""From a store to the subscribers of one event loop, each publication encoded once per form.

``hub.py`` is what a store tells: one :class:`~channels.topics.delivery.hub.Hub` per event loop. It collects
what arrives in a turn of the loop and gives each topic its part. ``live_topic.py`` keeps the position of a
topic that somebody here is subscribed to, finds gaps, and has them filled from the store before anything
later is delivered. ``audience.py`` groups subscribers that get the same bytes; ``frames.py`` makes those.
``outbox.py`` holds what a slow client has not read, up to a limit.

What to keep in mind when this is changed: everything runs in the loop's thread but ``received``,
``controlled`` and ``interrupted`` of the hub. A subscriber joins an audience in the same step in which its
reply is written, so that it misses nothing and gets nothing twice.
"""

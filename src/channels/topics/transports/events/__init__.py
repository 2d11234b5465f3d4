"""Plain event streams: topics for EventSource, htmx, Datastar and whatever reads ``text/event-stream``.

No client of the protocol is at the other end. ``framing.py`` writes publications as events, once for all
streams of one topic; ``positions.py`` says where a stream is as an event's id, by which it goes on after it
was interrupted; ``rendering.py`` makes HTML of them where a topic wants that, and ``turns.py`` keeps their
order meanwhile; ``stream.py`` is the session behind it; ``views.py`` begins it.

What to keep in mind when this is changed: a browser reads "retry" and named events in any client, but htmx
takes no "retry" without data, and swaps in whatever has no name.
"""

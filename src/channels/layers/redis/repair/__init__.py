"""Messages that Redis has accepted and a receiver has missed: asked for, and delivered in their order.

*Kept*: a sender keeps what it has published (``wire/sent.py``), as it travelled, for ``repair_window``
seconds and up to ``repair_buffer`` bytes of its process; of a message whose call has raised only that it has.
*Seen*: numbers show a gap when a later message comes, or a mark. Every sender tells its numbers when a
process that was cut off asks for them, and for what it keeps when its own subscriptions are back. So
whichever of the two is back last, a mark follows that the receiver hears: a gap at the end is seen as well.
*Asked*: the name of a sender says which process to ask. The question goes to that process alone, by a topic
of its own, and is repeated until it is answered. A sender whose name does not say it (an older release, a
process that does not listen) is not asked.
*Answered*: with the sealed messages of the first part of the gap, and which of its numbers are gone. The
answer goes to who asked alone and may come twice; what is still on its way to Redis is left out of it.
*Order*: what comes behind a gap waits for it, per sender and topic; others are not held up.
*Once*: a number is delivered only as the one after the last that is settled, whichever way it comes.
*Given up*: after ``repair_timeout`` seconds without progress (they count anew when a way was cut and is
back, for at most ``repair_window`` seconds), or when more than ``repair_buffer`` bytes wait,
or when the sender says that they are gone: what is missing is counted as ``lost``, what waits is delivered.
*Accepted*: a process accepts nothing for a group before its own subscriptions are back
(``RedisNode.publish_to_group``): nobody could hear from it what it has sent.
"""

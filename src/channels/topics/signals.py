"""Django signals about who is where. ``sender`` is the Topic class, ``topic`` the topic.

``topic_joined`` and ``topic_left`` are sent in the process of the client, with its ``user`` and ``client``
(its id). ``topic_occupied`` and ``topic_vacated`` are sent once in all processes, in one of them, when
somebody comes to an empty topic, and when nobody has been there for a while; the topic needs ``presence``.
"""

from __future__ import annotations

from django.dispatch import Signal

topic_joined = Signal()
topic_left = Signal()
topic_occupied = Signal()
topic_vacated = Signal()

"""Access lasts as long as the right to it: connections of users who may no longer have them are ended.

``credentials.py`` says what the right of a connection rests on, ``check.py`` looks with few queries whether
it still does, ``watch.py`` has that done for the connections of an event loop: at once for what
``announcements.py`` hears of, in any process, and now and then for everything. ``signals.py`` announces what
Django says of sessions, users and permissions.

What must go on to hold: what cannot be checked does not end (a database that is away logs nobody out), no
check writes to a session, and no session key leaves the process.
"""

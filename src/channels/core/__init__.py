"""Small parts that several rooms above share, each a file of its own with no state of the process.

Scopes as types (:mod:`~channels.core.scope`), objects in scopes that are made when they are read
(:mod:`~channels.core.lazy`), state of ours on objects of users' classes (:mod:`~channels.core.private`),
messages that a layer hands to many sockets past their consumers (:mod:`~channels.core.broadcast`), refusals
(:mod:`~channels.core.denial`), and what a handler has to know of Django's responses
(:mod:`~channels.core.responses`).

Layers and the server meet in ``broadcast`` without importing each other, so it knows nothing of Django.
"""

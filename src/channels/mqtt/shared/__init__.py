"""Shared subscriptions (5.0 section 4.8.2): of a group's members, in all processes, one gets each message.

Each process with a connected member claims a message in the store before it hands it on (``claims.py``);
the first one has it. Which of its own members that is, ``share.py`` decides: the one with the least to do.
"""

"""Rooms in which people who have a name talk to each other."""

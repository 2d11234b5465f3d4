"""The names of Daphne 4.2, on :mod:`channels.server`."""

__version__ = "4.2.3"

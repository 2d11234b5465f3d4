"""A process's connection to the broker."""

"""The process that all others of the machine connect to."""

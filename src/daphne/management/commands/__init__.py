"""Management commands of the app ``daphne``."""

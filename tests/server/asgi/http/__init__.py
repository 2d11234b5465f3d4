"""Requests that do not go as they should, and responses of more than a body."""

"""Checks on who may open a connection."""

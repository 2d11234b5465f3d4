"""Processes: how they end."""

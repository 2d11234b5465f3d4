"""The editor example's project."""

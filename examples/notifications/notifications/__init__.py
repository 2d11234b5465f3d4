"""The notifications example's project."""

"""The game example's project."""

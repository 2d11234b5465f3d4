"""The devices example's project."""

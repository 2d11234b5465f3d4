"""The table of matches."""

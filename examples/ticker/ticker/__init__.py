"""The ticker example's project."""

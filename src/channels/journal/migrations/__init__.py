"""The migrations of the journal."""

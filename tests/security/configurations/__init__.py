"""Servers as they are deployed: by the documentation, and wrongly."""

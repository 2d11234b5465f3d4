"""What the documentation of the originals shows, run."""

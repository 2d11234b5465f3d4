"""Matches, who plays them, and the worker that runs them."""

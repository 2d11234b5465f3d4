"""Publish and subscribe, with sequence numbers that show gaps."""

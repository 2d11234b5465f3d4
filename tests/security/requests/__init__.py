"""Requests that are read in more than one way: directly, and behind each proxy."""

"""Connections to Redis: one server, shards, Sentinel, Cluster."""

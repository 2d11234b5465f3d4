"""The Redis backend: one server, many shards, sentinels or a cluster."""

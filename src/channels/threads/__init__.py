"""Sync code in a bounded pool of threads: in order per connection, fair among connections."""

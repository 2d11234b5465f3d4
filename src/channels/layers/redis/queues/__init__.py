"""Named channels as queues in Redis."""

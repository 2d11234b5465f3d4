"""What a worker does now and then: see who lives, enqueue what ticks, delete what is old."""

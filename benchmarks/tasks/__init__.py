"""Background tasks: how many a worker runs, what one costs, and how long an idle one takes to start."""

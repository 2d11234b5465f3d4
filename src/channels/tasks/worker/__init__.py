"""What runs tasks: lanes of threads and of an event loop, and one thread that speaks with the store."""

"""What one peer may take of a process that serves many."""

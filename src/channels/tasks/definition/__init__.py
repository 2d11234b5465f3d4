"""What a task is: its function and policy, its states, its arguments and its result."""

"""Orders, and what their owners are told."""

"""HTTP/2 (RFC 9113), bytes to events and back, over an engine of choice."""

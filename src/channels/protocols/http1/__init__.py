"""HTTP/1.1 (RFC 9112), bytes to events and back, over an engine of choice."""

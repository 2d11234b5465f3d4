"""One connection and the protocol that it speaks."""

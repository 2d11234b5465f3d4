"""What a connection is beside its bytes: what it speaks, and whether its peer is still there."""

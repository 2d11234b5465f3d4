"""Accepting connections from listening sockets.

uvloop accepts connections in clear text by itself, in half the time; ``extra_acceptors`` helps it while
many wait at once. ``acceptor`` accepts where the loop's own way is not good enough: with TLS, whose
handshakes have to be counted and limited, and under asyncio's own loops, which spin when no descriptor is
left.
"""

"""Sans-I/O protocols: bytes in, events out. No Django, no asyncio, no sockets, no clock."""

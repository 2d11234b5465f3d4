"""Through the public address: from the name of the host to two sockets that hear each other."""

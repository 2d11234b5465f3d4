"""HTTP/1.1 over real sockets: what ends it, what follows it, and bodies that are not read."""

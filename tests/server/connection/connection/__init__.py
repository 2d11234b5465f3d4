"""The shell of a connection over real sockets: who is let in, files, and what is read later."""

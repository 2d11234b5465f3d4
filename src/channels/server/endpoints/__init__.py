"""Where the server listens: endpoint strings, sockets, TLS, systemd."""

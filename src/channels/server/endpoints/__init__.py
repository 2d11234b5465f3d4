"""Where the server listens: endpoint strings, sockets, TLS, systemd.

``endpoints`` reads the strings that Daphne took and opens their sockets; ``tls`` loads certificates and
follows their renewal; ``systemd`` takes over sockets that were opened before, and notifies the service
manager. A socket is opened only after its certificate was read, so that nothing listens that cannot
serve.
"""

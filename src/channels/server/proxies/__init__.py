"""What proxies say about their clients, and how much of it is believed.

``trusted_proxies`` decides: only what a proxy wrote that is named in the settings counts, read from the
end of the header (``forwarded`` for RFC 7239, ``x_forwarded`` for the older fields, ``root_path`` for a
prefix). ``nodes`` checks each address, port and scheme; what is not believed is counted, and the peer
stands in its place.
"""

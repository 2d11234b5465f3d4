"""What proxies say about their clients, and how much of it is believed."""

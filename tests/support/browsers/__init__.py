"""What browser tests look at, and what they put between a browser and a server."""

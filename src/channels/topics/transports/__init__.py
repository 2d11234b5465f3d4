"""What carries sessions: WebSocket, and for clients behind old proxies event streams and streamed answers."""

"""More of what a WebSocket does: see ``test_websocket.py`` for the usual course of one."""

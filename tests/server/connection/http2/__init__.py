"""HTTP/2 on one connection: many frames at once, streams that are refused or left, and its sudden end."""

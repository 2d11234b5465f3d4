"""Header compression for HTTP/2 (RFC 7541): blocks to fields, fields to blocks."""

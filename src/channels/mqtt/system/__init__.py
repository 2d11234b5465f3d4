"""Topics below ``$SYS``: how the broker is."""

"""Who is in a group, asked through the broker."""

"""What guards messages from others who can write to the same Redis."""

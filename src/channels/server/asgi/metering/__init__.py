"""What counts messages, where somebody wants to know; without that none of it is used."""

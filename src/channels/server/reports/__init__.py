"""What the server tells: access log, health, exposure, a loop that is held."""

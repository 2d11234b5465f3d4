"""Commands of the market."""

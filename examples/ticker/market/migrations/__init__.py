"""The tables of the market, and 2,000 instruments to begin with."""

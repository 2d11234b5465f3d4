"""The table of the devices, and 500 of them to begin with."""

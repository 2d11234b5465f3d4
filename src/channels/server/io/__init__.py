"""Timers, coalesced writes and files, as the event loop and the kernel offer them."""

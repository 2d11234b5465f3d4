"""Instruments, their prices, and the page that shows them."""

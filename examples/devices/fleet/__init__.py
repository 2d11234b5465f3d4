"""Devices, what they do and what they are to do, and the page that shows them."""

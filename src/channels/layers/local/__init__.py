"""Delivery inside one process, which all backends share."""

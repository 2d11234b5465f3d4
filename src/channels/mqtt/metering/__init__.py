"""Connections that count their messages, for metrics; classes of their own, so that others cost nothing."""

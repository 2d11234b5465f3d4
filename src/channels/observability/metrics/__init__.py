"""Metrics for Prometheus: what all processes of a machine have counted, on a port, a path or by push.

Each process hears the facts of :mod:`channels.telemetry`, looks now and then at what describes itself
(``counting``; ``families`` is the table of all metrics), and writes its figures into a
directory (``directory``). Whoever is asked (``endpoint``, ``views``) adds those of all (``samples``), shows
them (``exposition``) to who may read them (``guard``). ``activation`` says when a process counts.
"""

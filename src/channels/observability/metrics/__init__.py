"""Metrics for Prometheus: what all processes of a machine have counted, on a port, a path or by push.

Each process hears the facts of :mod:`channels.telemetry` (``recorder``, by the tables ``facts`` and
``families``), looks now and then at what describes itself (``sources``), and writes its figures into a
directory (``directory``). Whoever is asked (``endpoint``, ``views``) adds those of all (``samples``), shows
them (``exposition``) to who may read them (``guard``). ``activation`` says when a process counts.
"""

"""Load runs: many idle sockets, a rolling restart under load, hostile clients.

``python -m benchmarks.endurance`` runs them.
"""

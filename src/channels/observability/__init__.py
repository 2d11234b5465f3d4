"""See inside: figures, traces and logs of what runs, and whether it runs as it should.

``metrics`` counts for Prometheus. Nothing here is imported by what it looks at: it listens to
:mod:`channels.telemetry`, and costs nothing where it was not asked for.
"""

"""See inside: figures, traces and logs of what runs, which processes there are, whether all is as it should.

``metrics`` counts for Prometheus, ``fleet`` asks all processes. Nothing here is imported by what it looks at:
it listens to :mod:`channels.telemetry` or reads when asked, and costs nothing where it was not asked for.
"""

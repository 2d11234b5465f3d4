"""Serving live queries in an event loop.

``node.py`` hears what has changed, and tells the ``source`` of each query that is concerned. The source keeps
what is to be looked at (``pending``), and has the ``evaluation`` compare the database with the rows that
subscribers have (``state``), publish the difference and keep the rows now and then (``checkpoints``).
``views.py`` is for queries whose users may have different rows.
"""

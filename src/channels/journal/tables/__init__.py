"""What is read and written in the tables of the journal; each function of these modules is one step of SQL.

``records.py`` is the row of a pending publication, ``statements.py`` the SQL by vendor, ``transactions.py``
how they begin and end, ``streams.py`` a stream's row and what becomes of a publication, ``numbering.py`` the
one transaction that gives offsets, ``reading.py`` pages and positions, ``notes.py`` what relays have on their
way, ``sweeping.py`` what is removed by age.
"""

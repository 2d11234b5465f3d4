"""HTTP/1.1 on one connection (RFC 9112).

``connection`` owns the bytes: it finds the end of a head, counts a body, cuts chunks into pieces, and
asks an engine (``engines``: zttp or h11) to read what it found. ``head_cache`` answers for heads whose
lines came before. ``response`` is the writing half, which no engine has a part in; ``header_lines``
keeps the lines that it writes. ``chunked`` undoes the chunked coding for h11.

To change what is accepted, change :mod:`channels.protocols.http.semantics`: both engines are judged by
it.
"""

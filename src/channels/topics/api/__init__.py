"""The HTTP API for other backends, by Centrifugo's names: ``api/<method>``, off until a key is set.

``views.py`` reads a request and writes its answer, ``keys.py`` says who may ask, ``requests.py`` what there
is to ask, ``reading.py`` and ``acting.py`` do it. A key may do everything that server code may, so nothing
here asks what a user may have.
"""

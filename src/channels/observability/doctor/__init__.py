"""The doctor: whether what runs works, in the order in which a request travels, and what to do if not.

``local`` looks at what this machine's settings name: layers, stores, databases, tasks. ``site`` goes through
the public address, to ``probe``, which answers there. ``steps`` is what all of them say.
"""

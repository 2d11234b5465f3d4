"""Names of headers that an application could take for others.

Where headers become variables, as under CGI and in Django's ``request.META``, ``X_Forwarded_For`` and
``X-Forwarded-For`` have one name. A proxy removes or sets the one with hyphens, and does not know the other.
"""

from __future__ import annotations

from channels.protocols.events import Fact, Headers


def has_underscores(headers: Headers) -> bool:
    """Whether some name has an underscore; a head of which that is true is read anew each time."""
    return b"_" in b"".join(dict(headers))


def without_underscores(headers: Headers) -> Headers:
    """Leave out the fields whose names have an underscore."""
    return [field for field in headers if b"_" not in field[0]]


def left_out(headers: Headers, kept: Headers) -> Fact:
    """Make the fact that fields were left out, each counted."""
    return Fact("protocols.underscore_header", len(headers) - len(kept))

"""What holds for a response in any version of HTTP: which have a body, what Content-Length may say.

HTTP/1.1 and HTTP/2 write a response differently and judge it alike, in the same words.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

#: Whatever is sent as a body with these goes nowhere (RFC 9110 6.4.1); a HEAD is answered without one, too.
BODYLESS = frozenset({101, 204, 304})
#: With these Content-Length must not be sent (RFC 9110 8.6).
LENGTHLESS = frozenset({101, 204})


class Phase(enum.Enum):
    """How far the response to a request has come."""

    HEAD = "no response has begun"
    BODY = "the response has begun"
    ENDED = "the response is complete"


def out_of_turn(what: str, phase: Phase) -> RuntimeError:
    """Make the error for what was sent at the wrong time."""
    return RuntimeError(f"Cannot send {what} now: {phase.value}.")


def check_informational(status: int) -> None:
    """Judge the status of an interim response (RFC 9110 15.2); 101 ends HTTP and is none.

    Raises:
        ValueError: it is not 100 or 102 to 199.
    """
    if not 100 <= status <= 199 or status == 101:
        raise ValueError(f"An informational status is 100 or 102 to 199, not {status!r}.")


def check_length(values: Collection[bytes]) -> None:
    """Judge what an application says as Content-Length (RFC 9110 8.6).

    Raises:
        ValueError: there are several different values, or one is no number.
    """
    if len(set(values)) > 1:
        raise ValueError(
            f"The response has several different Content-Length headers: {sorted(set(values))!r}."
        )
    for value in values:
        if not value.isdigit():
            raise ValueError(f"Content-Length is a number of bytes, not {value!r}.")


def body_left(left: int, size: int) -> int:
    """Count a part of a body down; return how many bytes are left of the Content-Length.

    Raises:
        ValueError: the part is longer than what is left.
    """
    if size > left:
        raise ValueError(
            f"The response body is longer than its Content-Length: {size} bytes were to be sent "
            f"where {left} are left."
        )
    return left - size


def too_short(left: int) -> ValueError:
    """Make the error for a body that ended ``left`` bytes before its Content-Length."""
    return ValueError(f"The response body ended {left} bytes short of its Content-Length.")

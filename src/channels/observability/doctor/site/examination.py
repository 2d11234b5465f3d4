"""The steps through the public address, in the order in which a request travels."""

from __future__ import annotations

from collections.abc import Iterator

from channels.observability.doctor.site.http import body_step, dns_step, events_step, request_steps, tls_step
from channels.observability.doctor.site.target import Target
from channels.observability.doctor.site.websocket import socket_steps
from channels.observability.doctor.steps import Status, Step


def examine(target: Target) -> Iterator[Step]:
    """Look at a site; what cannot be reached ends it.

    Args:
        target: the site.
    """
    for step in (dns_step, tls_step):
        found = step(target)
        yield found
        if found.status is Status.ERROR:
            return
    yield from request_steps(target)
    if target.seen is not None:
        yield body_step(target)
        yield events_step(target)
        yield from socket_steps(target)

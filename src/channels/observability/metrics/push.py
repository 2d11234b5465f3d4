"""Metrics of processes that end before anybody reads them: sent to a Pushgateway at their end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from channels.observability.metrics.counting import recorder
from channels.observability.metrics.endpoint import figures
from channels.observability.metrics.exposition import registry_of

logger = logging.getLogger("channels.observability")


def push(gateway: str, job: str, timeout: float = 5.0) -> None:
    """Send the figures of this process to a Pushgateway, in place of those that the job has sent before.

    Args:
        gateway: its address, such as ``"http://pushgateway:9091"``.
        job: the name of what this process does.
        timeout: seconds, above zero.

    Raises:
        OSError: it cannot be reached, or refuses.
        MetricsUnavailable: nothing is counted in this process.
    """
    counting = recorder.recorder()
    samples = figures() if counting is None else counting.samples()
    from prometheus_client import push_to_gateway

    push_to_gateway(gateway, job, registry_of(samples), timeout=timeout)


@contextlib.contextmanager
def pushed(gateway: str, job: str, timeout: float = 5.0) -> Iterator[None]:
    """Count in this process while the block runs, and send the figures then; for management commands.

    A gateway that is away is logged, and is no error of the block.

    Args:
        gateway: see :func:`push`.
        job: likewise.
        timeout: likewise.
    """
    recorder.start("command", None)
    try:
        yield
    finally:
        try:
            push(gateway, job, timeout)
        except OSError as error:
            logger.error("The metrics of %s could not be sent to %s: %s", job, gateway, error)
        recorder.stop()

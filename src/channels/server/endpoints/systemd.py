"""systemd's two protocols, without its library: sockets that it passes on, and what we tell it.

Socket activation: descriptors from 3 on, described by LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES
(sd_listen_fds(3)). Notification: a datagram of assignments to the socket in NOTIFY_SOCKET
(sd_notify(3)). Without these variables nothing happens.
"""

from __future__ import annotations

import logging
import os
import socket
import time

logger = logging.getLogger("channels.server")

#: The first descriptor that is passed on (SD_LISTEN_FDS_START).
FIRST = 3
#: Seconds that the service manager's socket may be full before a word to it is given up.
_PATIENCE = 1.0


def passed_descriptors(name: str = "", index: int | None = None) -> list[int]:
    """Find the sockets that systemd has passed to this process.

    Args:
        name: only those with this FileDescriptorName; "" for all.
        index: only the one at this place among them, from 0; None for all.

    Returns:
        Descriptors, which programs that this one starts do not inherit.

    Raises:
        ValueError: there is none; the text says why.
    """
    count = os.environ.get("LISTEN_FDS", "")
    if not count.isdecimal() or int(count) < 1:
        raise ValueError(
            "systemd has passed no socket to this process (LISTEN_FDS is not set); start it from a "
            ".socket unit"
        )
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise ValueError(
            f"the sockets are for process {os.environ.get('LISTEN_PID')}, this one is {os.getpid()}; "
            "begin the ExecStart= line with the program itself, or with exec in a shell"
        )
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    numbers = [FIRST + place for place in range(int(count)) if not name or names[place : place + 1] == [name]]
    found = numbers if index is None else numbers[index : index + 1]
    if not found:
        named = f" with FileDescriptorName={name}" if name else ""
        place = "" if index is None else f", and index {index} is none of them (the first is 0)"
        raise ValueError(f"systemd has passed {len(numbers)} sockets{named}{place}")
    for number in found:
        os.set_inheritable(number, False)
    return found


def notify(**facts: str) -> None:
    """Tell the service manager something; harmless where there is none.

    Args:
        facts: assignments of sd_notify(3), as ``READY="1"`` or ``STATUS="a line for people"``.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    message = "\n".join(f"{name}={value}" for name, value in facts.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(address)
            sock.send(message.encode())
    except OSError as error:
        logger.warning("The service manager (NOTIFY_SOCKET) cannot be told %r: %s.", message, error)


def notify_reloading() -> None:
    """Tell the service manager that a reload has begun; ``notify(READY="1")`` ends it."""
    notify(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

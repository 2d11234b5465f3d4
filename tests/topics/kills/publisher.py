"""Publishes 0, 1, 2 ... as a process of its own: ``publisher.py AMOUNT HELD BURST PAUSE``.

It says how far it is after each burst, waits at HELD until it is told to go on, and at last publishes "end"
again and again, so that whoever comes back late has something to wait for, until its input ends.
"""

import sys
import threading
import time

from channels.topics.stores.base import StoreUnavailable
from tests.topics.kills.application import Numbers  # it sets Django up

RETRY, REPEAT = 0.02, 0.1


def publish(data: object, key: str) -> None:
    """Publish once, however often that has to be tried."""
    while True:
        try:
            Numbers().publish(data, idempotency_key=key)
        except StoreUnavailable:
            time.sleep(RETRY)
        else:
            return


def main(arguments: list[str]) -> None:
    amount, held, burst = map(int, arguments[:3])
    sys.stdin.readline()
    for number in range(amount):
        publish(number, str(number))
        if number + 1 == held:
            print(held, flush=True)
            sys.stdin.readline()
        elif (number + 1) % burst == 0:
            print(number + 1, flush=True)
            time.sleep(float(arguments[3]))
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(REPEAT):
        publish("end", f"end {time.monotonic()}")


main(sys.argv[1:])

"""Publishes 0, 1, 2 ... as a process of its own: ``publisher.py AMOUNT BURST``.

It publishes a burst for each line that it gets, and says how far it is. At last it publishes "end" again and
again, so that whoever comes back late has something to wait for, until its input ends.
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


def main(amount: int, burst: int) -> None:
    for first in range(0, amount, burst):
        sys.stdin.readline()
        for number in range(first, first + burst):
            publish(number, str(number))
        print(first + burst, flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(REPEAT):
        publish("end", f"end {time.monotonic()}")


main(int(sys.argv[1]), int(sys.argv[2]))

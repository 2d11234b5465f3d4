"""Prices that nobody pays: each goes its own random way. A real site reads them from its exchange here."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

PULL = 0.002  # how strongly a price is drawn back to where the day began
STEP = 0.0015  # of a price, at a time


class Market:
    """The prices of some instruments.

    Args:
        openings: symbol and price of each.
        seed: of the chances; the same seed gives the same day.
    """

    def __init__(self, openings: Iterable[tuple[str, float]], seed: int | None = None) -> None:
        self._openings = dict(openings)
        self._prices = dict(self._openings)
        self._symbols = list(self._openings)
        self._random = random.Random(seed)  # noqa: S311  # nobody pays them

    def move(self, count: int) -> Iterator[tuple[str, float]]:
        """Let so many prices change; gives the symbol and the new price of each."""
        for symbol in self._random.choices(self._symbols, k=count):
            price, opening = self._prices[symbol], self._openings[symbol]
            price += price * self._random.gauss(0, STEP) + (opening - price) * PULL
            self._prices[symbol] = price = round(max(price, 0.01), 2)
            yield symbol, price

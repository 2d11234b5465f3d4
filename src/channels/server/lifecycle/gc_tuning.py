"""The garbage collector of a process that serves: look at what changes, not at what stays.

A process that serves holds an application and many connections, nearly all of which live
long. Python's defaults look at all of it again and again while connections arrive; that was
half of the time of opening one, and a pause of everybody else.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

#: Python's own thresholds, in its versions. Others are somebody's choice.
DEFAULTS: Final = frozenset({(700, 10, 10), (2000, 10, 10), (2000, 10, 0)})
#: Container objects made, less those freed, before the youngest are looked at; then how many
#: looks until the next generation's turn. A cycle is found at the latest after 20,000 objects.
THRESHOLDS: Final = (20_000, 10, 20)


@contextlib.contextmanager
def tuned_gc() -> Iterator[None]:
    """Leave what is loaded by now out of collections, and collect less often, for a ``with`` block.

    Where somebody has set thresholds, or has switched the collector off, nothing is changed.
    """
    before = gc.get_threshold()
    if before not in DEFAULTS or not gc.isenabled():
        yield
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()

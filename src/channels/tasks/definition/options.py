"""What ``TASKS[alias]["OPTIONS"]`` may say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.tasks.definition.contract import InvalidTaskBackend

STORES: Final = ("database", "memory", "redis")
_LEAST: Final = {"lease": 1, "poll": 0.01, "max_losses": 1, "keep_results": 0, "keep_failures": 0}
_UNKNOWN: Final = ("wait", "fail")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a backend.

    Attributes:
        store: where tasks are kept: "database", "redis", or "memory" of this process.
        database: the alias of the database: that of the store "database"; the other stores write when a
            transaction on it is committed.
        hosts: of the store "redis": one entry, in any form that the channel layer takes; None: localhost.
        prefix: of the store "redis": begins all keys; projects that share a Redis have different ones.
        lease: seconds, at least 1, after which a worker that says nothing is taken for dead.
        poll: seconds, above 0, between two looks for what no wake-up has told.
        max_losses: how many workers may die of a task before it is a dead letter; at least 1.
        keep_results: seconds for which the results of tasks that succeeded are kept.
        keep_failures: seconds for which those that failed, or were cancelled, are kept.
        unknown_tasks: what becomes of a task that the worker's code does not have: it may "wait" for a
            deploy, or "fail".
    """

    store: str = "database"
    database: str = "default"
    hosts: Any = None
    prefix: str = "tasks"
    lease: float = 5.0
    poll: float = 2.0
    max_losses: int = 3
    keep_results: float = 7 * 86400.0
    keep_failures: float = 30 * 86400.0
    unknown_tasks: str = "wait"


def read_options(alias: str, given: Mapping[str, Any]) -> Options:
    """Return the options of a backend.

    Raises:
        InvalidTaskBackend: one is unknown, or out of range.
    """
    known = [field.name for field in dataclasses.fields(Options)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}]['OPTIONS'] has {', '.join(map(repr, unknown))}. "
            f"It may have: {', '.join(known)}."
        )
    options = Options(**given)
    for mistake in _mistakes(options):
        raise InvalidTaskBackend(f"TASKS[{alias!r}]['OPTIONS']: {mistake}")
    return options


def _mistakes(options: Options) -> Iterator[str]:
    if options.store not in STORES:
        yield f"store is {options.store!r}; it is one of {', '.join(STORES)}."
    if not isinstance(options.prefix, str) or not options.prefix or set(options.prefix) & set("{}"):
        yield f"prefix is {options.prefix!r}; it is a text without braces."
    if options.unknown_tasks not in _UNKNOWN:
        yield f"unknown_tasks is {options.unknown_tasks!r}; it is one of {', '.join(_UNKNOWN)}."
    for name, least in (
        ("lease", 1),
        ("poll", 0.01),
        ("max_losses", 1),
        ("keep_results", 0),
        ("keep_failures", 0),
    ):
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            yield f"{name} is {value!r}; it is a number of at least {least}."

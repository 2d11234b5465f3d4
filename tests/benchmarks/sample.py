"""A run as it could have been found."""

from __future__ import annotations

from benchmarks.results import Cell, Family, Machine, Reading, Run, Table

MACHINE = Machine(
    "A <processor>",
    2,
    3.8,
    "Linux 6.1",
    "3.11.7",
    "2026-01-31 12:00 UTC",
    "abc1234",
    {"fairway": "0.1", "ws": "8.1"},
    "Median of 3 rounds.",
)


def cell(name: str, family: Family, *values: float | None, note: str = "") -> Cell:
    latency = {"p50": 1500, "p99": 20_000}
    readings = [Reading(value, latency if value else {}, 2.5 if value else None, note) for value in values]
    return Cell(name, family, readings)


def run() -> Run:
    chat = Table("chat", "The chat by `send`", "deliveries/s", "higher", measured="today")
    chat.cells = [
        cell("channels on daphne", "original", 6000.0, 6200.0, 6400.0),
        cell("Fairway", "ours", 99_000.0, 101_234.0, 130_000.0),
        cell("A server with a name that is far too long", "other", 202_468.0),
        cell("picows", "other", None, note="picows is not installed"),
        cell("C loop", "ceiling", 400_000.0),
    ]
    memory = Table("memory", "Memory", "kB", "lower", measured="today")
    memory.cells = [cell("Fairway", "ours", 8.0), cell("channels on daphne", "original", 36.0)]
    nobody = Table("http2", "HTTP/2", "requests/s", "higher", [cell("h", "other", None)], "today")
    return Run(MACHINE, [chat, memory, nobody], {"Fairway": "python -m daphne -p PORT"})

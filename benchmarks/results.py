"""What was measured, as values: readings, cells, rows, a run; and the ratios between them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Family = Literal["ours", "original", "other", "ceiling"]


@dataclass(frozen=True)
class Reading:
    """One measurement of one contender.

    Attributes:
        value: in the row's unit; None if there is none.
        latency_us: percentiles in microseconds, by name (``p50``, ``p99``, ``max`` ...).
        cpu_us: microseconds of the server's processor time per unit of work; None if nobody looked.
        note: why there is no value, or what else is to be known.
    """

    value: float | None
    latency_us: dict[str, int] = field(default_factory=dict)
    cpu_us: float | None = None
    note: str = ""


@dataclass
class Cell:
    """All readings of one contender in one row."""

    name: str
    family: Family
    readings: list[Reading] = field(default_factory=list)

    @property
    def values(self) -> list[float]:
        return [reading.value for reading in self.readings if reading.value is not None]

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def cpu_us(self) -> float | None:
        """The median, which moves less than the rate does on a busy machine."""
        costs = [reading.cpu_us for reading in self.readings if reading.cpu_us is not None]
        return statistics.median(costs) if costs else None

    @property
    def latency_us(self) -> dict[str, int]:
        """The percentiles of the reading nearest to the median."""
        if self.median is None:
            return {}
        middle = self.median
        known = [reading for reading in self.readings if reading.value is not None]
        return min(known, key=lambda reading: abs((reading.value or 0) - middle)).latency_us

    @property
    def note(self) -> str:
        """What the readings had to say, each thing once."""
        return "; ".join(dict.fromkeys(reading.note for reading in self.readings if reading.note))

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "family": self.family,
            "median": self.median,
            "values": self.values,
            "latency_us": self.latency_us,
            "cpu_us": self.cpu_us,
            "note": self.note,
        }


@dataclass
class Table:
    """One row of the summary with all its contenders; ``measured`` is when, and which revision of ours."""

    id: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    cells: list[Cell] = field(default_factory=list)
    measured: str = ""

    def best(self, family: Family) -> Cell | None:
        """The contender of this family that did best; None if none has a value."""
        measured = [cell for cell in self.cells if cell.family == family and cell.median is not None]
        if not measured:
            return None
        pick = max if self.better == "higher" else min
        return pick(measured, key=lambda cell: cell.median or 0)

    def ratio(self, family: Family) -> float | None:
        """How many times better we are than the best of a family; below 1: worse."""
        ours, theirs = self.best("ours"), self.best(family)
        if ours is None or theirs is None or not ours.median or not theirs.median:
            return None
        return ours.median / theirs.median if self.better == "higher" else theirs.median / ours.median

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "unit": self.unit,
            "better": self.better,
            "measured": self.measured,
            "ratio_to_best_original": self.ratio("original"),
            "ratio_to_best_other": self.ratio("other"),
            "contenders": [cell.as_dict() for cell in self.cells],
        }


@dataclass(frozen=True)
class Machine:
    """Where and when it ran, and with what."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    date: str
    revision: str
    versions: dict[str, str]
    method: str


@dataclass
class Run:
    """Everything one ``make bench`` found."""

    machine: Machine
    tables: list[Table] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "machine": asdict(self.machine),
            "rows": [table.as_dict() for table in self.tables],
            "commands": self.commands,
        }


def run_from_dict(data: dict[str, Any]) -> Run:
    """The run that :meth:`Run.as_dict` described; what each reading was beside its value is the median's."""
    return Run(
        Machine(**data["machine"]), [_table(row) for row in data["rows"]], dict(data.get("commands", {}))
    )


def _table(row: dict[str, Any]) -> Table:
    cells = list(_cells(row["contenders"]))
    return Table(row["id"], row["title"], row["unit"], row["better"], cells, row["measured"])


def _cells(contenders: Iterable[dict[str, Any]]) -> Iterable[Cell]:
    for found in contenders:
        shared = (found["latency_us"], found["cpu_us"], found["note"])
        readings = [Reading(value, *shared) for value in found["values"]] or [Reading(None, *shared)]
        yield Cell(found["name"], found["family"], readings)

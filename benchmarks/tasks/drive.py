"""Measures a system in an interpreter that has it: ``drive.py SYSTEM TASKS STARTS`` prints JSON."""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: Seconds after which something is given up.
LIMIT = 180.0
#: Tasks that a worker runs before it is measured.
WARM = 100


def resident(pid: int) -> float:
    """Megabytes of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line)
    return int(line.split()[1]) / 1024


def lines_of(path: Path, count: int) -> list[list[float]]:
    """Wait until a file has so many lines, and return their numbers."""
    end = time.monotonic() + LIMIT
    while True:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return [[float(part) for part in line.split()] for line in lines]
        if time.monotonic() > end:
            raise SystemExit("It took too long.")
        time.sleep(0.005)


def backlog(system: Any, tasks: int, marks: str) -> tuple[float, float]:
    """Enqueue tasks between two marks; returns the seconds and the processor time of that."""
    for number in range(WARM):
        system.enqueue("nothing", number)
    system.enqueue("mark", marks)
    begun, used = time.perf_counter(), time.process_time()
    for number in range(tasks):
        system.enqueue("nothing", number)
    took = time.perf_counter() - begun, time.process_time() - used
    system.enqueue("mark", marks)
    return took


def measure(name: str, tasks: int, starts: int, folder: Path) -> dict[str, float]:
    """Enqueue, start a worker, let it run all; then enqueue single ones for it while it is idle."""
    system: Any = importlib.import_module(f"systems.{name}")
    system.prepare()
    marks, ages = folder / "marks", folder / "ages"
    seconds, cost = backlog(system, tasks, str(marks))
    with (folder / "log").open("w") as log:
        worker = subprocess.Popen(system.WORKER, stderr=log, stdout=log, cwd=HERE)
    try:
        (first, used), (last, had) = lines_of(marks, 2)
        for number in range(starts):
            time.sleep(0.1)
            system.enqueue("age", str(ages), time.time())
            lines_of(ages, number + 1)
        megabytes = resident(worker.pid)
    finally:
        worker.terminate()
        worker.wait(30)
    return {
        "enqueued/s": tasks / seconds,
        "µs/enqueue": cost / tasks * 1e6,
        "tasks/s": tasks / (last - first),
        "µs/task": (had - used) / tasks * 1e6,
        "start p50 ms": statistics.median(age for (age,) in lines_of(ages, starts)) * 1000,
        "MB": megabytes,
    }


def main() -> None:
    """Measure one system."""
    sys.path.insert(0, str(HERE))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(folder))))


if __name__ == "__main__":
    main()

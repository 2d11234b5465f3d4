"""Measures a backend in an interpreter that has it: ``drive.py TASKS STARTS WORKER...`` prints JSON."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: Seconds after which something is given up.
LIMIT = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


def processor_time(pid: int) -> float:
    """Seconds of processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> float:
    """Megabytes of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line)
    return int(line.split()[1]) / 1024


def wait_for(condition: Callable[[], Any], pause: float) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("It took too long.")
        time.sleep(pause)


def finished(results: list[Any]) -> int:
    """How many of some results have ended."""
    for result in results:
        result.refresh()
    return sum(result.is_finished for result in results)


def measure(tasks: int, starts: int, worker_command: list[str]) -> dict[str, float]:
    """Enqueue, start a worker, let it run all; then enqueue single ones for it while it is idle."""
    import jobs

    begun, used = time.perf_counter(), time.process_time()
    results = [jobs.nothing.enqueue(number) for number in range(tasks)]
    enqueued, cost = time.perf_counter() - begun, time.process_time() - used
    worker = subprocess.Popen(worker_command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        first, last = results[tasks // 10 : tasks // 10 + 1], results[-1:]
        wait_for(lambda: finished(first), 0.002)
        begun, used = time.perf_counter(), processor_time(worker.pid)
        wait_for(lambda: finished(last), 0.005)
        seconds, worked = time.perf_counter() - begun, processor_time(worker.pid) - used
        ages = [start_one(jobs) for _ in range(starts)]
        megabytes = resident(worker.pid)
    finally:
        worker.terminate()
        worker.wait()
    ran = tasks - tasks // 10 - 1
    return {
        "enqueued/s": tasks / enqueued,
        "µs/enqueue": cost / tasks * 1e6,
        "tasks/s": ran / seconds,
        "µs/task": worked / ran * 1e6,
        "start p50 ms": statistics.median(ages) * 1000,
        "MB": megabytes,
    }


def start_one(jobs: Any) -> float:
    """How long an idle worker takes to start a task, in seconds."""
    time.sleep(0.1)
    result = jobs.age.enqueue(time.time())
    wait_for(lambda: finished([result]), 0.005)
    return float(result.return_value)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    os.environ["PYTHONPATH"] = str(HERE)
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))

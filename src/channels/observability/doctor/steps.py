"""What the doctor says: one step after the other, each with what was done, what was seen, and the remedy."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from channels.observability.problems import Problem


class Status(enum.StrEnum):
    """What a step has found."""

    OK = "ok"
    SKIPPED = "skipped"  #: it could not be looked at; the remedy says how it can
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: of the step, the same in each run.
        did: what was done, one sentence.
        saw: what was seen, one sentence without secrets.
        status: what follows from it.
        remedy: what to do; "" where nothing is to be done.
    """

    name: str
    did: str
    saw: str
    status: Status = Status.OK
    remedy: str = ""


def wrong(name: str, did: str, problem: Problem, status: Status = Status.ERROR) -> Step:
    """Return a step that has found a problem which others may see as well, in the words of all.

    Args:
        name: see :class:`Step`.
        did: likewise.
        problem: what is wrong.
        status: what follows from it.
    """
    return Step(name, did, problem.text(), status, problem.remedy())


_MARKS: Final = {Status.OK: "ok", Status.SKIPPED: "--", Status.WARNING: "!", Status.ERROR: "ERROR"}
#: The exit code: whether something is wrong.
_FAILED: Final = 1


def as_text(steps: Sequence[Step]) -> str:
    """Write steps for people."""
    lines: list[str] = []
    for step in steps:
        lines += [f"{_MARKS[step.status]:>5}  {step.name}: {step.did}", f"       {step.saw}"]
        lines += [f"       -> {step.remedy}"] if step.remedy else []
    return "\n".join([*lines, _summary(steps)])


def _summary(steps: Iterable[Step]) -> str:
    found = [step.status for step in steps]
    errors, warnings = found.count(Status.ERROR), found.count(Status.WARNING)
    return f"{len(found)} steps, {errors} errors, {warnings} warnings."


def as_data(steps: Sequence[Step]) -> dict[str, Any]:
    """Return steps as JSON has them."""
    return {"ok": exit_code(steps) == 0, "steps": [asdict(step) for step in steps]}


def exit_code(steps: Iterable[Step]) -> int:
    """Return 1 if a step has found an error, else 0."""
    return _FAILED if any(step.status is Status.ERROR for step in steps) else 0

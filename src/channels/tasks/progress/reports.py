"""What is said of a task while it runs, and when it has ended."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from channels.tasks.definition.contract import TaskResult, TaskResultStatus

#: Characters of a text.
LONGEST_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Report:
    """A word on a task.

    Attributes:
        status: as ``django.tasks`` has it.
        progress: from 0 to 1.
        text: for people, at most 500 characters.
        result: the return value, when it has succeeded.
        error: the name of the exception's class, when it has failed; what it says is not for browsers.
    """

    status: str
    progress: float = 0.0
    text: str = ""
    result: Any = None
    error: str = ""

    @classmethod
    def running(cls, progress: float, text: str) -> Report:
        """Return what a task says of itself.

        Raises:
            ValueError: the progress is no number.
        """
        if not math.isfinite(progress):
            raise ValueError(f"The progress is {progress}; it goes from 0 to 1.")
        return cls(TaskResultStatus.RUNNING, min(max(float(progress), 0.0), 1.0), str(text)[:LONGEST_TEXT])

    @classmethod
    def of(cls, result: TaskResult) -> Report:
        """Return what a result says by itself."""
        if result.status == TaskResultStatus.SUCCESSFUL:
            return cls(result.status, 1.0, result=result.return_value)
        if result.status == TaskResultStatus.FAILED:
            return cls.failed(result.errors[-1].exception_class_path if result.errors else "")
        return cls(result.status)

    @classmethod
    def failed(cls, path: str) -> Report:
        """Return that a task has failed, given the path of the exception's class."""
        return cls(TaskResultStatus.FAILED, error=path.rpartition(".")[2])

    def as_data(self) -> dict[str, Any]:
        """Return it as it is published."""
        return asdict(self) | {"status": str(self.status)}

"""``python -m daphne``."""

from __future__ import annotations

from daphne.cli import CommandLineInterface

CommandLineInterface.entrypoint()

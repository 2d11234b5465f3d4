"""``python -m channels.observability.metrics dashboard``, or ``alerts``: print what comes with metrics."""

from __future__ import annotations

import argparse
import sys
from importlib import resources

FILES = {"dashboard": "dashboard.json", "alerts": "alerts.yml"}


def main() -> None:
    """Print a file for Grafana or Prometheus."""
    parser = argparse.ArgumentParser(prog="python -m channels.observability.metrics")
    parser.add_argument(
        "what", choices=sorted(FILES), help="A dashboard for Grafana, alert rules for Prometheus."
    )
    name = FILES[parser.parse_args().what]
    sys.stdout.write((resources.files("channels.observability.metrics") / "files" / name).read_text())


if __name__ == "__main__":
    main()

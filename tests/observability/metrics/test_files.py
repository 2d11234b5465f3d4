"""The dashboard, the alert rules, and what is shown, as Prometheus' own tool judges them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from channels.observability.metrics.exposition import render
from channels.observability.metrics.families import FAMILIES
from channels.observability.metrics.samples import Samples
from tests.support.programs import require


def printed(what: str) -> str:
    command = [sys.executable, "-m", "channels.observability.metrics", what]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def expressions() -> list[str]:
    """Every query of the dashboard, as Grafana would fill it in."""
    panels = json.loads(printed("dashboard"))["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    return [re.sub(r"\$(job|instance)", ".*", each.replace("$__rate_interval", "1m")) for each in found]


def promtool(*arguments: str, folder: Path | None = None, text: bytes = b"") -> tuple[int, str]:
    command = [require("promtool"), "check", *arguments]
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, check=False, timeout=30)
    return done.returncode, (done.stdout + done.stderr).decode()


def exposed() -> set[str]:
    """The names of all samples that there can be."""
    names = set()
    for family in FAMILIES.values():
        histogram = family.kind == "histogram"
        names |= {family.exposed + end for end in (("_bucket", "_sum", "_count") if histogram else ("",))}
    return names


@pytest.mark.parametrize("what", ["dashboard", "alerts"])
def test_every_metric_that_is_named_exists(what: str) -> None:
    named = set(re.findall(r"channels_[a-z0-9_]+", printed(what)))
    assert named <= exposed()
    assert len(named) > 10


def test_the_alert_rules_are_valid(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(printed("alerts"))
    code, told = promtool("rules", "alerts.yml", folder=tmp_path)
    assert code == 0, told
    assert "SUCCESS: 13 rules found" in told


def test_the_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    """As rules, since the tool has no check for a query alone."""
    rules = [{"record": f"query{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, told = promtool("rules", "queries.yml", folder=tmp_path)
    assert code == 0, told


def test_what_is_shown_is_as_prometheus_likes_it() -> None:
    samples = Samples()
    for family in FAMILIES.values():
        labels = tuple(f"some {label}" for label in family.labels)
        if family.kind == "counter":
            samples.count(family.name, labels, 3)
        elif family.kind == "gauge":
            samples.set(family.name, 3, labels)
        else:
            samples.observe(family.name, 0.2, labels)
    text, _ = render(samples)
    assert promtool("metrics", text=text) == (0, "")


def test_a_client_that_asks_for_it_gets_openmetrics() -> None:
    text, content_type = render(Samples(), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")

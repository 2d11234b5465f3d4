"""The page of metrics: every family is there, with its kind and its labels, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from channels.observability.metrics.families import FAMILIES, Family

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md").read_text()


def row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
    return f"| `{family.exposed}` | {family.kind} | {labels} | {family.text} |"


def test_the_page_lists_every_family_as_it_is() -> None:
    listed = [line for line in PAGE.splitlines() if line.startswith("| `channels_")]
    assert listed == [row(family) for family in FAMILIES.values()]


def test_names_and_labels_are_those_of_prometheus() -> None:
    for family in FAMILIES.values():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert bool(family.buckets) == (family.kind == "histogram"), family.name
        assert not set(family.labels) & {"le", "job", "instance", "user", "topic", "channel", "group"}
        for unit in ("milliseconds", "_ms", "kilobytes", "percent"):
            assert unit not in family.name

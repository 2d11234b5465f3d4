"""Modules are measured by the test files that mirror them."""

from __future__ import annotations

import pytest

from tests.scripts.loading import SCRIPTS, load

report = load("coverage_by_module")
SRC = SCRIPTS.parent / "src"


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("channels/routing.py", "tests/test_routing.py"),
        ("channels/layers/names.py", "tests/layers/test_names.py"),
        ("daphne/cli.py", "tests/daphne/test_cli.py"),
    ],
)
def test_tests_mirror_the_source(module: str, test: str) -> None:
    assert SCRIPTS.parent / test in report.own_tests(SRC / module)


def test_a_module_without_functions_needs_no_tests() -> None:
    found = report.modules()
    assert SRC / "channels" / "routing.py" in found
    assert SRC / "channels" / "__init__.py" not in found


def test_a_module_is_measured_by_its_own_tests() -> None:
    module = SRC / "channels" / "layers" / "names.py"
    (line, last) = report.lines(report.modules("channels/layers/names.py"), measure=True)
    assert 50 < float(line.split()[0]) <= 100
    assert line.split()[2] == str(module.relative_to(SRC))
    assert last == "1 modules with code, 0 without a test file of their own"


def test_what_has_no_tests_is_listed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "SOURCE", tmp_path)
    (tmp_path / "alone.py").write_text("def work():\n    return 1\n")
    found = list(report.lines(report.modules(), measure=True))
    assert found == ["no test file: alone.py", "1 modules with code, 1 without a test file of their own"]

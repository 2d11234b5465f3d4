"""Say how much of each module its own test file covers, and which modules have none.

    python scripts/coverage_by_module.py --missing            the modules without a test file of their own
    python scripts/coverage_by_module.py channels/mailbox.py  one module, or all below a folder
    python scripts/coverage_by_module.py                      all of them; it takes long

That the tests of others run through a module says little about whether it is tested. So each one is measured
under its own test files only: ``src/channels/layers/names.py`` under ``tests/layers/test_names.py`` and those
that begin with ``test_names_`` or are in a folder ``names``; modules of the packages with old names under the
folder of their package.
Branches count, and so does what a process that a test starts runs. A module with nothing to run (constants,
protocols and other types for checkers) needs no tests.

It is a report: the exit status is 1 only if tests fail.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"
#: Per cent below which a module is listed.
ENOUGH = 95.0
#: Classes that are there for type checkers.
_TYPES = {"Protocol", "TypedDict"}
_SETTINGS = """
[run]
branch = true
data_file = {folder}/data
parallel = true
patch =
    subprocess
    _exit
[report]
exclude_also =
    if TYPE_CHECKING:
    @overload
    ^\\s*\\.\\.\\.$
    @abstractmethod
"""


def modules(below: str = "") -> list[Path]:
    """Return the modules below a folder of ``src``, or the one at a path, that hold code."""
    found = sorted(SOURCE.rglob("*.py")) if not below else sorted((SOURCE / below).rglob("*.py"))
    if (SOURCE / below).is_file():
        found = [SOURCE / below]
    return [path for path in found if has_code(path)]


def has_code(path: Path) -> bool:
    """Whether a module holds more than a docstring, imports, constants and types."""
    return any(not _is_plain(node) for node in ast.parse(path.read_text()).body)


def _is_plain(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return bool(_TYPES & {ast.unparse(base).split("[")[0] for base in node.bases})
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'")
    return isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign))


def own_tests(module: Path) -> list[Path]:
    """Return the test files that mirror a module."""
    path = module.relative_to(SOURCE)
    name = path.stem if path.stem != "__init__" else path.parent.name
    inside = path.parent if path.stem != "__init__" else path.parent.parent
    folder = TESTS / (inside.relative_to("channels") if inside.parts[:1] == ("channels",) else inside)
    name = name.strip("_")
    exact, more = (
        folder / f"test_{name}.py",
        [] if path.stem == "__init__" else (folder / name).glob("test_*.py"),
    )
    return [*([exact] if exact.exists() else []), *sorted(folder.glob(f"test_{name}_*.py")), *sorted(more)]


def covered(module: Path, tests: list[Path]) -> float:
    """Return how much of a module its tests cover, in per cent of its lines and branches."""
    with tempfile.TemporaryDirectory() as folder:
        settings, report = Path(folder) / "rc", Path(folder) / "report.json"
        settings.write_text(_SETTINGS.format(folder=folder))
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, tests)]
        _coverage(settings, "run", *pytest)
        _coverage(settings, "combine", "--quiet")
        _coverage(settings, "json", f"--include={module}", "-o", str(report))
        return float(json.loads(report.read_text())["totals"]["percent_covered"])


def _coverage(settings: Path, word: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "coverage", word, f"--rcfile={settings}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def lines(found: list[Path], *, measure: bool) -> Iterator[str]:
    """The lines of the report: what has no tests of its own, then what has too few."""
    missing = [module for module in found if not own_tests(module)]
    yield from (f"no test file: {module.relative_to(SOURCE)}" for module in missing)
    for module in found:
        if measure and (tests := own_tests(module)):
            share = covered(module, tests)
            mark = "" if share >= ENOUGH else f"  below {ENOUGH:.0f} %"
            yield f"{share:6.1f} %  {module.relative_to(SOURCE)}{mark}"
    yield f"{len(found)} modules with code, {len(missing)} without a test file of their own"


def main() -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(description="Coverage of each module by its own tests.")
    parser.add_argument("below", nargs="?", default="", help="a module or a folder, from src")
    parser.add_argument("--missing", action="store_true", help="only list what has no test file")
    said = parser.parse_args()
    if not (SOURCE / said.below).exists():
        parser.error(f"there is no src/{said.below}")
    for line in lines(modules(said.below), measure=not said.missing):
        print(line, flush=True)


if __name__ == "__main__":
    main()

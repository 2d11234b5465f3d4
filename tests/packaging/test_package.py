"""What is published: the wheel has what it should, and the old names are satisfied by empty ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(240)]

# A package of somebody else's: it depends on the old names as such packages do.
DEPENDENT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "written-for-channels"
version = "1"
dependencies = ["channels[daphne]>=4,<5", "channels-redis>=4.2", "daphne>=4.1"]
[tool.hatch.build.targets.wheel]
bypass-selection = true
"""
CHECK = """
import channels, channels.consumer, daphne, django
from importlib.metadata import version
assert "site-packages" in channels.__file__, channels.__file__
print(version("django-fairway"), version("channels"), version("channels-redis"), version("daphne"))
"""


def run(*command: str | Path, cwd: Path) -> str:
    # Where the tests run on a checkout by PYTHONPATH, what is installed here must not be hidden by it.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four distributions, built without a network."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, ROOT / "scripts" / "dist.py", out, cwd=ROOT)
    return out


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_packages_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("django_fairway-*.whl")
    found = names(wheel)
    packages = {path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").exists()}
    assert {name.split("/")[0] for name in found} >= packages >= {"channels", "daphne"}
    for package in packages:
        assert f"{package}/py.typed" in found
    sources = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*")
        if path.suffix in (".py", ".lua")
    }
    assert sources <= found, sorted(sources - found)
    assert not [
        name for name in found if "test_" in name or name.startswith(("tests/", "docs/", "examples/"))
    ]


def test_no_text_names_the_distribution_otherwise() -> None:
    """`fairway` on the package index belongs to somebody else: nobody may be told to install it."""
    requirement = re.compile(r"(?<![\w-])fairway *(==|>=|~=|\[)|pip install [^`\n]*(?<![\w+/-])fairway\b")
    texts = [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "src").rglob("*.py"),
        *filter(Path.is_file, (ROOT / "scripts").iterdir()),
    ]
    wrong = [f"{path.name}: {found[0]}" for path in texts if (found := requirement.search(path.read_text()))]
    assert wrong == []


def test_the_old_names_are_empty_and_depend_on_fairway(dist: Path) -> None:
    (fairway,) = dist.glob("django_fairway-*.whl")
    ours = metadata(fairway)["Version"]
    for name, version in (("channels", "4.3.2"), ("channels_redis", "4.3.0"), ("daphne", "4.2.3")):
        (wheel,) = dist.glob(f"{name}-{version}+fairway-*.whl")
        assert names(wheel) == set()
        assert metadata(wheel).get_all("Requires-Dist") == [f"django-fairway=={ours}"]


def test_every_distribution_comes_as_source_too(dist: Path) -> None:
    assert len(list(dist.glob("*.tar.gz"))) == len(list(dist.glob("*.whl"))) == 4


def test_the_source_distribution_holds_the_whole_repository(dist: Path) -> None:
    (archive,) = dist.glob("django_fairway-*.tar.gz")
    with tarfile.open(archive) as source:
        found = {name.partition("/")[2] for name in source.getnames()}
    for folder in ("src", "tests", "docs", "examples", "changes", "scripts", "benchmarks"):
        here = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.[mp][dy]")}
        ours = {name for name in here if "node_modules" not in name}
        assert ours <= found, sorted(ours - found)
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "Makefile"} <= found


def test_packages_that_depend_on_the_old_names_install_beside_it(dist: Path, tmp_path: Path) -> None:
    project = tmp_path / "dependent"
    project.mkdir()
    (project / "pyproject.toml").write_text(DEPENDENT)
    run(
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--wheel",
        "--outdir",
        tmp_path,
        project,
        cwd=tmp_path,
    )
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheels = [*dist.glob("*.whl"), *tmp_path.glob("*.whl")]
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "install", "--no-deps", "--no-index", *wheels, cwd=tmp_path)
    lend_dependencies(tmp_path / "venv")
    assert run(*pip, "check", cwd=tmp_path).strip() == "No broken requirements found."
    versions = run(python, "-c", CHECK, cwd=tmp_path).split()
    assert versions[1:] == ["4.3.2+fairway", "4.3.0+fairway", "4.2.3+fairway"]
    run(tmp_path / "venv" / "bin" / "daphne", "--help", cwd=tmp_path)


#: What is quick and imports most: the tests of these run on the wheel.
QUICK = [
    "tests/test_routing.py",
    "tests/test_consumer.py",
    "tests/test_conf.py",
    "tests/layers/test_memory.py",
    "tests/protocols/websocket",
    "tests/server/test_config.py",
    "tests/daphne/test_cli.py",
    "tests/channels_redis",
    "tests/compat/names/test_names.py",
    "tests/compat/names/test_surface.py",
]


def test_tests_pass_on_the_wheel_with_no_source_in_reach(dist: Path, tmp_path: Path) -> None:
    """What is not packed, or is found by its place beside `src`, is missed here."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("tests", "examples", "docs", "scripts"):
        shutil.copytree(
            ROOT / name, checkout / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", checkout)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheels = dist.glob("django_fairway-*.whl")
    install = ["-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    run(python, *install, *wheels, cwd=tmp_path)
    lend_dependencies(tmp_path / "venv")
    where = (
        "import channels, daphne, channels_redis as r; print(channels.__file__, daphne.__file__, r.__file__)"
    )
    assert str(ROOT) not in run(python, "-c", where, cwd=checkout)
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUICK, cwd=checkout)
    assert re.search(r"^[1-9]\d\d+ passed", told, re.M), told


def lend_dependencies(environment: Path) -> None:
    """Let the fresh environment see what is installed in ours, after its own packages, not our checkout."""
    (ours,) = (path for path in map(Path, sys.path) if path.name == "site-packages")
    (theirs,) = environment.glob("lib/python*/site-packages")
    mirror = environment / "lent" / "site-packages"  # as what is in it is told from code of the project
    mirror.mkdir(parents=True)
    for path in ours.iterdir():
        if "fairway" not in path.name and path.suffix != ".pth":
            (mirror / path.name).symlink_to(path)
    (theirs / "lent.pth").write_text(f"{mirror}\n")

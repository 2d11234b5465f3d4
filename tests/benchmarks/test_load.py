"""What programs of the load print is read, and who gives nothing is given up."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.load import LoadFailed, Settings, Wsload, read_h2load
from benchmarks.servers import Server

GOOD = "finished in 2.00s, 14900.50 req/s, 1.2MB/s\nrequests: 9 total, 0 failed, 0 errored, 0 timeout\n"


def client(folder: Path, body: str) -> Settings:
    """Settings with a client of our own in the place of wsload."""
    program = folder / "client"
    program.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    program.chmod(0o755)
    return Settings(0.0, program, "sessionid=1")


def nobody(folder: Path) -> Server:
    return Server([], [1], folder / "server.log")


def test_the_rate_of_h2load() -> None:
    assert read_h2load(GOOD) == 14900.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "no rate"),
        (GOOD.replace("14900.50", "0.00"), "no rate"),
        (GOOD.replace("0 errored", "3 errored"), "3 errored"),
    ],
)
def test_a_rate_with_failures_is_none(text: str, words: str) -> None:
    with pytest.raises(LoadFailed, match=words):
        read_h2load(text)


def test_phases_are_read_in_turn(tmp_path: Path) -> None:
    lines = r"print('{\"phase\":\"open\",\"conns\":3}\n{\"phase\":\"done\",\"n\":7}', flush=True)"
    with Wsload(client(tmp_path, lines.replace('\\"', '"')), "idle", nobody(tmp_path), "/") as found:
        assert found.until("done") == {"phase": "done", "n": 7}


def test_a_client_that_fails_says_why(tmp_path: Path) -> None:
    settings = client(tmp_path, "sys.exit('wsload: opened 0 of 200')")
    with (
        Wsload(settings, "echo", nobody(tmp_path), "/") as found,
        pytest.raises(LoadFailed, match="opened 0 of 200"),
    ):
        found.until("done")


def test_a_client_without_end_is_ended(tmp_path: Path) -> None:
    settings = client(tmp_path, "time.sleep(600)")
    begun = time.monotonic()
    with (
        Wsload(settings, "echo", nobody(tmp_path), "/", patience=0.2) as found,
        pytest.raises(LoadFailed, match=r"nothing within 0\.2 s"),
    ):
        found.until("done")
    assert time.monotonic() - begun < load.PATIENCE


def test_a_program_without_end_is_ended() -> None:
    with pytest.raises(LoadFailed, match=r"nothing within 0\.2 s"):
        load._output(["sleep", "600"], 0.2)
    assert load._output(["echo", "words"], 60) == "words\n"

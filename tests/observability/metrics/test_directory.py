"""The directory where processes leave their figures; and who may read them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from channels import __version__
from channels.observability.metrics.counting.recorder import Recorder
from channels.observability.metrics.directory import Directory, MetricsUnavailable
from channels.observability.metrics.guard import may_read
from channels.observability.metrics.samples import Samples

ACCEPTED = "connections_accepted_total"


def counted(number: int, gauge: int = 0) -> Samples:
    samples = Samples()
    samples.count(ACCEPTED, (), number)
    samples.set("applications", gauge)
    samples.observe("gc_pause_seconds", 0.002, ("2",))
    return samples


def test_counters_of_those_that_have_ended_stay(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "figures")
    first, second = directory.join(), directory.join()
    first.write(counted(5, 3))
    second.write(counted(7, 4))
    assert directory.read().counters[ACCEPTED] == {(): 12}
    assert directory.read().gauges["applications"] == {(): 7}
    first.leave()
    for _ in range(2):
        found = directory.read()
        assert found.counters[ACCEPTED] == {(): 12}
        assert found.gauges["applications"] == {(): 4}
        assert sum(found.histograms["gc_pause_seconds"]["2",].counts) == 2


def test_one_that_was_added_already_is_not_added_again(tmp_path: Path) -> None:
    """As when the reader is killed after it has written the sum, and before it has deleted the files."""
    directory = Directory(tmp_path / "figures")
    place = directory.join()
    place.write(counted(5))
    place.leave()
    saved = {path: path.read_bytes() for path in directory.path.iterdir() if path.name != "lock"}
    directory.read()
    for path, data in saved.items():
        path.write_bytes(data)
    assert directory.read().counters[ACCEPTED] == {(): 5}
    assert directory.read().counters[ACCEPTED] == {(): 5}


def test_figures_of_another_release_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = Directory(tmp_path / "figures")
    place, other = directory.join(), directory.join()
    place.write(counted(5))
    later = Samples()
    later.counters["unknown_total"] = {(): 1.0}
    later.counters[ACCEPTED] = {("one label more",): 1.0}
    other.write(later)
    assert directory.read().counters == {ACCEPTED: {(): 5}}
    (file,) = [path for path in directory.path.glob("*.figures") if b"unknown" in path.read_bytes()]
    file.write_bytes(b"\xc1")
    assert directory.read().counters == {ACCEPTED: {(): 5}}
    assert "of another release" in caplog.text


def test_a_directory_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(MetricsUnavailable, match="this user's alone"):
        Directory(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(MetricsUnavailable, match="this user's alone"):
        Directory(tmp_path / "link")


def test_the_child_of_a_fork_does_not_end_its_parents_place(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "figures")
    place = directory.join()
    place.write(counted(1, 1))
    child = os.fork()
    if not child:
        place.leave()
        os._exit(0)
    os.waitpid(child, 0)
    assert directory.read().gauges["applications"] == {(): 1}


def test_a_directory_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "figures")
    recorder = Recorder("tests", directory)
    try:
        directory.path.rename(tmp_path / "away")  # at once, though the recorder may write in this moment
        assert recorder.total().gauges["info"] == {(__version__, "tests"): 1}
    finally:
        recorder.stop()


def test_two_threads_that_find_the_directory_deleted_take_one_place(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "figures")
    recorder = Recorder("tests", directory, interval=3600.0)
    try:
        for number in range(50):
            directory.path.rename(tmp_path / f"away{number}")
            with ThreadPoolExecutor(4) as writers:
                for written in [writers.submit(recorder.write) for _ in range(4)]:
                    written.result()
            assert len(list(directory.path.glob("*.lock"))) == 1
    finally:
        recorder.stop()


@pytest.mark.parametrize(
    ("token", "headers", "address", "allowed"),
    [
        ("", {}, "127.0.0.1", True),
        ("", {}, "::1", True),
        ("", {}, "192.0.2.7", False),
        ("", {}, None, False),
        ("", {}, "localhost", False),
        ("", {"x-forwarded-for": "127.0.0.1"}, "127.0.0.1", False),
        ("", {"via": "1.1 proxy"}, "127.0.0.1", False),
        ("secret", {}, "127.0.0.1", False),
        ("secret", {"authorization": "Bearer secret"}, "192.0.2.7", True),
        ("secret", {"authorization": "Bearer secre"}, "192.0.2.7", False),
        ("secret", {"authorization": "Bearer sécret"}, "192.0.2.7", False),
        ("", {"authorization": "Bearer "}, "192.0.2.7", False),
    ],
)
def test_who_may_read(token: str, headers: dict[str, str], address: str | None, allowed: bool) -> None:
    assert may_read(token, headers, address) is allowed

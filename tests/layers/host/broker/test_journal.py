from __future__ import annotations

import os

import pytest

from channels.layers.host.broker.journal import COMPACT_FROM, Acked, Enqueued, Journal


def waits(n, payload=b"payload"):
    return Enqueued(f"key-{n}", "work", 1e12, payload)


@pytest.fixture
def path(directory):
    directory.mkdir()
    return directory / "journal"


def reopened(path):
    journal = Journal(path)
    waiting, known = journal.restore()
    journal.close()
    return waiting, known


def write(path, *records, waiting=(), amount=0):
    journal = Journal(path)
    journal.restore()
    for record in records:
        journal.add(record)
    journal.flush(waiting, amount)
    journal.flush(waiting, amount)
    journal.close()


def test_what_waits_is_read_by_the_next(path):
    write(path, waits(1), waits(2), waits(3), Acked("key-2"))
    assert reopened(path) == ([waits(1), waits(3)], {"key-1", "key-2", "key-3"})
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b"\0", b"\0\0\0\x09half", b"\0\0\0\x01\xc1"])
def test_a_record_cut_short_by_a_crash_is_dropped_and_what_follows_is_kept(path, torn):
    write(path, waits(1))
    with open(path, "ab") as file:
        file.write(torn)
    write(path, waits(2))
    assert reopened(path)[0] == [waits(1), waits(2)]


def test_a_file_of_mostly_settled_messages_is_written_anew(path):
    big = waits(2, b"x" * COMPACT_FROM)
    write(path, waits(1), big, Acked("key-2"), waiting=[waits(1)], amount=50)
    assert path.stat().st_size < 200
    assert reopened(path)[0] == [waits(1)]


def test_a_long_file_is_written_anew_when_it_is_read(path):
    big = waits(2, b"x" * COMPACT_FROM)
    write(path, waits(1), big, Acked("key-2"), waiting=[waits(1)], amount=COMPACT_FROM)
    assert path.stat().st_size > COMPACT_FROM
    assert reopened(path) == ([waits(1)], {"key-1", "key-2"})
    assert path.stat().st_size < 200


def test_a_full_disk_is_logged_once_and_made_good_later(path, caplog, monkeypatch):
    journal = Journal(path)
    os.close(journal._descriptor)
    journal._descriptor = os.open("/dev/full", os.O_WRONLY)
    journal.add(waits(1))
    journal.flush([waits(1)], 50)
    assert "Named messages would not survive the end of this process: [Errno 28]" in caplog.text
    with monkeypatch.context() as patched:
        patched.setattr(journal, "_open", lambda path: os.open("/dev/full", os.O_WRONLY))
        journal.add(waits(2))
        journal.flush([waits(1), waits(2)], 100)
    assert len(caplog.records) == 1
    journal.add(waits(3))
    journal.flush([waits(1), waits(2), waits(3)], 150)
    journal.close()
    assert reopened(path)[0] == [waits(1), waits(2), waits(3)]


def test_a_directory_that_was_removed_is_no_disaster(path, caplog):
    journal = Journal(path)
    path.unlink()
    path.parent.rmdir()
    journal.rewrite([waits(1)])
    assert "Named messages would not survive" in caplog.text
    journal.remove()
    journal.close()
    path.parent.mkdir()


def test_a_symbolic_link_is_not_followed(path):
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Journal(path)

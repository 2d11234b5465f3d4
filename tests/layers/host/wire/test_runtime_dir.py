from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
import types
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels.exceptions import InvalidChannelLayerError
from channels.layers.host.wire.runtime_dir import (
    RuntimeDirectory,
    find_runtime_dir,
    hash_of,
    project_directory,
    require_same_user,
)


def mode(path):
    return os.stat(path).st_mode & 0o777


def test_the_directory_is_made_for_its_owner_only(directory):
    RuntimeDirectory(directory).prepare()
    assert mode(directory) == 0o700
    RuntimeDirectory(directory).prepare()


def test_a_directory_open_to_others_is_refused(directory):
    directory.mkdir(mode=0o755)
    with pytest.raises(InvalidChannelLayerError, match=r"open to other users \(mode 755\); run: chmod 700"):
        RuntimeDirectory(directory).prepare()


def test_a_symbolic_link_is_refused(directory):
    (directory.parent / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(directory.parent / "elsewhere")
    with pytest.raises(InvalidChannelLayerError, match="is a symbolic link"):
        RuntimeDirectory(directory).prepare()


def test_a_file_is_refused(directory):
    directory.touch()
    with pytest.raises(InvalidChannelLayerError, match="is no directory"):
        RuntimeDirectory(directory).prepare()


def test_somebody_elses_directory_is_refused(directory, monkeypatch):
    directory.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: directory.stat().st_uid + 1)
    with pytest.raises(InvalidChannelLayerError, match="belongs to user"):
        RuntimeDirectory(directory).prepare()


def test_a_refusal_says_how_to_go_on(directory, monkeypatch):
    directory.mkdir(mode=0o700)
    runtime = directory.parent / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: directory.stat().st_uid + 1)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(InvalidChannelLayerError, match=r"CONFIG\['path'\].*XDG_RUNTIME_DIR") as caught:
        RuntimeDirectory(directory).prepare()
    suggested = str(caught.value).rpartition("for example '")[2].partition("'")[0]
    monkeypatch.undo()
    RuntimeDirectory(Path(suggested)).prepare()
    assert Path(suggested).parent == runtime


def test_without_a_runtime_directory_the_refusal_names_it_all_the_same(directory, monkeypatch):
    directory.touch()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(InvalidChannelLayerError, match=r"CONFIG\['path'\].*\$XDG_RUNTIME_DIR .*not set here"):
        RuntimeDirectory(directory).prepare()


def test_the_directory_above_is_checked_as_well(directory):
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    with pytest.raises(InvalidChannelLayerError, match="open to other users"):
        RuntimeDirectory(directory / "key", directory).prepare()


def test_a_directory_that_cannot_be_made(directory):
    with pytest.raises(InvalidChannelLayerError, match=r"cannot be made: .*CONFIG\['path'\]"):
        RuntimeDirectory(directory / "a" / "b").prepare()


def test_a_path_too_long_for_a_socket(directory):
    with pytest.raises(InvalidChannelLayerError, match="is too long for a Unix socket .*107 fit"):
        RuntimeDirectory(directory / ("x" * 100)).prepare()


def test_one_lock_one_holder(directory):
    place = RuntimeDirectory(directory)
    place.prepare()
    lock = place.try_lock()
    assert lock is not None
    assert place.try_lock() is None
    os.close(lock)
    again = place.try_lock()
    assert again is not None
    os.close(again)


def test_listening_and_connecting(directory):
    place = RuntimeDirectory(directory)
    place.prepare()
    assert place.connect() is None
    with place.listen():
        assert mode(place.socket) == 0o600
        with place.connect() as sock:
            require_same_user(sock)
    assert place.connect() is None, "nobody listens on what is left"
    with place.listen(), place.connect() as sock:
        assert not sock.getblocking()
    place.remove_socket()
    place.remove_socket()


def test_keeping_notices_what_was_removed(directory):
    place = RuntimeDirectory(directory)
    place.prepare()
    lock = place.try_lock()
    assert lock is not None
    with place.listen():
        os.utime(directory, (0, 0))
        assert place.touch(lock)
        assert directory.stat().st_mtime > 0
        place.remove_socket()
        assert not place.touch(lock)
    (directory / "lock").unlink()
    another = place.try_lock()
    assert another is not None
    os.close(another)
    assert not place.touch(lock), "another lock stands in its place"
    os.close(lock)


def test_another_users_process_is_refused(monkeypatch):
    near, far = socket.socketpair()
    with near, far:
        monkeypatch.setattr(struct, "unpack", lambda *args: (1, os.geteuid() + 1, 1))
        with pytest.raises(PermissionError, match="is at the other end"):
            require_same_user(near)
        monkeypatch.delattr(socket, "SO_PEERCRED")
        require_same_user(near)


def test_the_place_of_a_project(directory):
    assert find_runtime_dir(directory, None).path == directory
    place = find_runtime_dir(None, "mine")
    assert place.path.parent == Path(tempfile.gettempdir()) / f"fairway-{os.geteuid()}"
    assert place.path.name == hash_of("mine") != hash_of("other")


def test_the_project_is_its_base_dir():
    with override_settings(BASE_DIR="/srv/shop"):
        assert project_directory() == "/srv/shop"
        assert find_runtime_dir(None, None).path.name == hash_of("/srv/shop")


def test_without_base_dir_it_is_where_the_settings_are():
    assert project_directory() == str(
        Path(str(sys.modules[settings.SETTINGS_MODULE].__file__)).parent.resolve()
    )


def test_without_settings_the_project_has_to_be_named(monkeypatch):
    class Unconfigured:
        @property
        def BASE_DIR(self):
            raise ImproperlyConfigured("no settings")

    for stand_in in (Unconfigured(), types.SimpleNamespace()):
        monkeypatch.setattr("django.conf.settings", stand_in)
        with pytest.raises(InvalidChannelLayerError, match=r"Set CONFIG\['project'\]"):
            project_directory()

"""The empty distributions: wheels that an installer takes, with nothing in them but what they require."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from django_fairway.empty import description, write_empty
from django_fairway.names import EMPTY, EXTRAS, OURS


@pytest.fixture(params=EMPTY)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(folder: Path, name: str, ours: str | None = None) -> dict[str, str]:
    """The files of a wheel, by their name in its folder of facts."""
    write_empty(folder, ours)
    (wheel,) = folder.glob(f"{name.replace('-', '_')}-{EMPTY[name]}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {Path(path).parent.name for path in names} == {
            f"{name.replace('-', '_')}-{EMPTY[name]}.dist-info"
        }
        return {Path(path).name: archive.read(path).decode() for path in names}


def test_it_is_called_as_the_original_and_requires_ours(name: str, tmp_path: Path) -> None:
    metadata = message_from_string(opened(tmp_path, name)["METADATA"])
    assert (metadata["Name"], metadata["Version"]) == (name, EMPTY[name])
    assert metadata.get_all("Requires-Dist") == [OURS]
    assert metadata["Summary"] == description(name)
    assert metadata.get_all("Provides-Extra", []) == list(EXTRAS[name])


def test_it_can_require_one_version_of_ours(name: str, tmp_path: Path) -> None:
    metadata = message_from_string(opened(tmp_path, name, "1.2")["METADATA"])
    assert metadata.get_all("Requires-Dist") == [f"{OURS}==1.2"]


def test_the_list_of_files_is_true(name: str, tmp_path: Path) -> None:
    files = opened(tmp_path, name)
    *listed, last = files["RECORD"].splitlines()
    assert last.endswith("/RECORD,,")
    for line in listed:
        path, digest, size = line.split(",")
        data = files[Path(path).name].encode()
        expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={expected}", str(len(data)))


def test_all_of_them_are_written_and_told(tmp_path: Path) -> None:
    assert sorted(write_empty(tmp_path)) == sorted(tmp_path.iterdir())
    assert len(EMPTY) == len([*tmp_path.iterdir()])

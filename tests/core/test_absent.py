"""Names of the originals that are not here: whoever imports one is told what to use."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from channels.core.absent import explain_absent


class Refused(ImportError):
    pass


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = ModuleType("tests_absent_module")
    monkeypatch.setitem(sys.modules, found.__name__, found)
    return found


def test_importing_an_absent_name_says_what_to_use(module: Any) -> None:
    explain_absent(module.__name__, {"Gone": "use Here."})
    with pytest.raises(ImportError, match=r"tests_absent_module\.Gone is not here: use Here\.") as caught:
        exec("from tests_absent_module import Gone")
    assert caught.value.name == module.__name__


def test_a_misspelt_name_is_one_as_ever(module: Any) -> None:
    explain_absent(module.__name__, {"Gone": "use Here."})
    with pytest.raises(AttributeError, match="module 'tests_absent_module' has no attribute 'Misspelt'"):
        _ = module.Misspelt
    assert not hasattr(module, "Misspelt")


def test_the_kind_of_the_error_is_the_modules(module: Any) -> None:
    explain_absent(module.__name__, {"Gone": "use Here."}, Refused)
    with pytest.raises(Refused):
        _ = module.Gone

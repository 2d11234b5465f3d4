"""Names that the originals have and this project has not: whoever imports one is told what to use."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NoReturn


def explain_absent(module: str, remedies: Mapping[str, str], error: type[ImportError] = ImportError) -> None:
    """Have a module answer for its absent names with an ImportError that says what to use.

    ``from module import name`` shows an ImportError as it is; of an AttributeError it drops the words.
    The module gets its ``__getattr__`` from here, so that for type checkers a misspelt name is an error.

    Args:
        module: the ``__name__`` of the module, which is being imported.
        remedies: by name, a sentence that says what to use.
        error: what importing such a name raises.
    """

    def __getattr__(name: str) -> NoReturn:
        if name in remedies:
            raise error(
                f"{module}.{name} is not here: {remedies[name]} "
                "(docs/reference/differences.md has the names that are missing.)",
                name=module,
            )
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    vars(sys.modules[module])["__getattr__"] = __getattr__

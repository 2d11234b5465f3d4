"""Places in a Python file, found in its syntax tree, and text put there; the rest of the file stays."""

from __future__ import annotations

import ast
import re
from typing import TypeGuard


class NotAsExpected(Exception):
    """A file has no place of the expected form. Its argument says which."""


def assignment(source: str, name: str) -> ast.Assign | ast.AnnAssign | None:
    """Return the last statement at the top of a module that assigns to ``name``, or None."""
    found = [each for each in ast.parse(source).body if _assigns(each, name)]
    return found[-1] if found else None  # type: ignore[return-value]


def _assigns(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return False
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def add_to_list(source: str, name: str, first: list[str], last: list[str]) -> str:
    """Return ``source`` with expressions added to the list that is assigned to ``name``.

    Args:
        source: of a module.
        name: of the list.
        first: expressions for its beginning; those it has are left out.
        last: expressions for its end.

    Raises:
        NotAsExpected: no list is assigned to it.
    """
    statement = assignment(source, name)
    if statement is None or not isinstance(statement.value, ast.List):
        raise NotAsExpected(f"no list is assigned to {name}")
    known = {ast.unparse(each) for each in statement.value.elts}
    quote = _quote_of(source, statement.value)
    first, last = (
        [_quoted(each, quote) for each in items if ast.unparse(ast.parse(each, mode="eval")) not in known]
        for items in (first, last)
    )
    return _with_items(source, statement.value, first, last)


def _with_items(source: str, items: ast.List, first: list[str], last: list[str]) -> str:
    begin = _position(source, items.lineno, items.col_offset) + 1
    end = _position(source, items.end_lineno or 0, items.end_col_offset or 0) - 1
    inside = source[begin:end]
    if "\n" in inside:
        body = _with_last_comma(source, items, begin, end).rstrip()
        before = "".join(f"\n    {each}," for each in first)
        after = "".join(f"\n    {each}," for each in last)
        return f"{source[:begin]}{before}{body}{after}\n{source[end:]}"
    old = [inside.strip().rstrip(",")] if items.elts else []
    return f"{source[:begin]}{', '.join([*first, *old, *last])}{source[end:]}"


def _with_last_comma(source: str, items: ast.List, begin: int, end: int) -> str:
    if not items.elts:
        return source[begin:end]
    last = items.elts[-1]
    after = _position(source, last.end_lineno or 0, last.end_col_offset or 0)
    comma = "" if re.match(r"(\s|#.*)*,", source[after:end]) else ","
    return f"{source[begin:after]}{comma}{source[after:end]}"


def _quote_of(source: str, items: ast.List) -> str:
    texts = [each for each in items.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    segment = ast.get_source_segment(source, texts[0]) if texts else None
    return "'" if segment and segment.startswith("'") else '"'


def _quoted(expression: str, quote: str) -> str:
    return expression.replace('"', quote)


def _position(source: str, line: int, column: int) -> int:
    """Return the index in a text of what the syntax tree gives as a line and a column in UTF-8."""
    lines = source.splitlines(keepends=True)
    inside = lines[line - 1].encode()[:column].decode()
    return sum(map(len, lines[: line - 1])) + len(inside)


def replace(source: str, statement: ast.stmt, text: str) -> str:
    """Return ``source`` with ``text`` in the place of a statement."""
    begin = _position(source, statement.lineno, statement.col_offset)
    end = _position(source, statement.end_lineno or 0, statement.end_col_offset or 0)
    return source[:begin] + text + source[end:]


def add_at_end(source: str, text: str) -> str:
    """Return ``source`` with ``text`` at its end, after an empty line."""
    return f"{source.rstrip()}\n\n{text.rstrip()}\n"


def imports(source: str, module: str) -> set[str]:
    """Return the names that are imported from a module at the top of ``source``."""
    return {
        each.asname or each.name
        for statement in ast.parse(source).body
        if _imports_from(statement, module)
        for each in statement.names
    }


def _imports_from(statement: ast.stmt, module: str) -> TypeGuard[ast.ImportFrom]:
    return isinstance(statement, ast.ImportFrom) and statement.module == module and not statement.level


def star_imports(source: str) -> list[str]:
    """Return the modules from which a module imports everything, relative ones with dots."""
    return [
        "." * statement.level + (statement.module or "")
        for statement in ast.parse(source).body
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*"
    ]


def add_import(source: str, module: str, *names: str) -> str:
    """Return ``source`` with names imported from ``module``, in the import that is there or in a new one."""
    missing = set(names) - imports(source, module)
    if not missing:
        return source
    for statement in ast.parse(source).body:
        if _imports_from(statement, module):
            return replace(source, statement, _import(module, statement.names, missing))
    return _after_the_imports(source, f"from {module} import {', '.join(sorted(missing))}\n")


def _import(module: str, present: list[ast.alias], missing: set[str]) -> str:
    names = [f"{each.name} as {each.asname}" if each.asname else each.name for each in present]
    return f"from {module} import {', '.join(sorted({*names, *missing}))}"


def _after_the_imports(source: str, text: str) -> str:
    body = ast.parse(source).body
    places = [each for each in body if isinstance(each, ast.ImportFrom | ast.Import)]
    if not places:
        return text + source
    end = _position(source, places[-1].end_lineno or 0, places[-1].end_col_offset or 0)
    return f"{source[:end]}\n{text.rstrip()}{source[end:]}"

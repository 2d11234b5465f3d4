"""Patterns of topic names: Django's path converters, in both directions."""

from __future__ import annotations

import re
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.urls.converters import PathConverter, SlugConverter, StringConverter, get_converters

#: The longest name, in bytes of UTF-8; what Centrifugo allows.
MAX_NAME: Final = 255

#: Converters that hand on what they match.
_AS_THEY_ARE: Final = (StringConverter, SlugConverter, PathConverter)
_PARAMETER: Final = re.compile(r"<(?:(?P<converter>[^>:]+):)?(?P<name>[^>]*)>")


class TopicPattern:
    """A pattern such as ``room:<slug:name>``.

    Args:
        text: with path converters as in ``django.urls.path``; without one a parameter is a ``str``.

    Attributes:
        text: see above.
        is_literal: whether parameters are pieces of the name as they are.
        parameters: the names in it.

    Raises:
        ImproperlyConfigured: a converter is unknown, or a parameter is no identifier or comes twice.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._converters: dict[str, Any] = {}
        self._literals: list[str] = []
        known, expression, end = get_converters(), "", 0
        for found in _PARAMETER.finditer(text):
            literal, end = text[end : found.start()], found.end()
            name, converter = found["name"], found["converter"] or "str"
            if not name.isidentifier() or name in self._converters or converter not in known:
                raise ImproperlyConfigured(
                    f"Topic pattern {text!r}: {found[0]!r} is no <converter:name> with a converter that is "
                    f"known ({', '.join(sorted(known))}) and a name used once."
                )
            self._literals.append(literal)
            self._converters[name] = known[converter]
            expression += f"{re.escape(literal)}(?P<{name}>{known[converter].regex})"
        self._literals.append(text[end:])
        self.is_literal = all(type(each) in _AS_THEY_ARE for each in self._converters.values())
        self._regex = re.compile(expression + re.escape(text[end:]))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(self._converters)

    def match(self, name: str) -> dict[str, Any] | None:
        """Return the parameters of a topic's name, converted; None if the name is not of this pattern."""
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        try:
            return {key: self._converters[key].to_python(value) for key, value in found.groupdict().items()}
        except ValueError:
            return None

    def reverse(self, values: dict[str, Any]) -> str:
        """Return the name with these parameters.

        Raises:
            TypeError: parameters are missing or unknown.
            ValueError: a value does not fit its converter, or the name is too long.
        """
        if values.keys() != self._converters.keys():
            raise TypeError(
                f"Topic pattern {self.text!r} takes {', '.join(self._converters) or 'no parameters'}; "
                f"got {', '.join(values) or 'none'}."
            )
        name = self._literals[0]
        for (key, converter), literal in zip(self._converters.items(), self._literals[1:], strict=True):
            name += str(converter.to_url(values[key])) + literal
        if self._regex.fullmatch(name) is None:
            raise ValueError(f"{values!r} does not fit topic pattern {self.text!r}: it would be {name!r}.")
        if len(name.encode()) > MAX_NAME:
            raise ValueError(f"Topic name {name[:40]!r}... is longer than {MAX_NAME} bytes.")
        return name

"""Old helpers by their old names."""

from __future__ import annotations

import pytest

from daphne.utils import header_value, import_by_path, parse_x_forwarded_for


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (None, None)),
        ({b"X-Forwarded-For": b"10.1.2.3", b"X-Forwarded-Port": b"80"}, (["10.1.2.3", 80], None)),
        ({b"X-Forwarded-For": [b"10.1.2.3", b"2.2.2.2"]}, (["10.1.2.3", 0], None)),
        ([(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-proto", b"https")], (["1.1.1.1", 0], "https")),
    ],
)
def test_parse_x_forwarded_for(headers: object, expected: object) -> None:
    assert parse_x_forwarded_for(headers) == expected


def test_originals_are_kept_where_no_proxy_speaks() -> None:
    found = parse_x_forwarded_for({}, original_addr=["9.9.9.9", 3], original_scheme="http")
    assert found == (["9.9.9.9", 3], "http")
    headers = {b"X-Forwarded-For": b"10.1.2.3", b"X-Forwarded-Proto": b"https"}
    assert parse_x_forwarded_for(headers, address_header_name=None, original_scheme="http") == (None, "http")
    assert parse_x_forwarded_for({b"X-Real-IP": b"1.1.1.1"}, address_header_name="X-Real-IP")[0] == [
        "1.1.1.1",
        0,
    ]


def test_header_value() -> None:
    assert header_value({b"X-One": [b"1", b"2"]}, "x-one") == "1"
    with pytest.raises(KeyError):
        header_value({b"X-One": b"1"}, "x-two")


def test_import_by_path() -> None:
    assert import_by_path("daphne:__version__") == "4.2.3"

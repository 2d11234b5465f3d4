"""Patterns of topic names: both directions, and what is refused."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.topics.patterns import TopicPattern


def test_a_name_becomes_parameters_and_parameters_a_name():
    pattern = TopicPattern("orders:<slug:state>:<int:shop>")
    assert pattern.parameters == ("state", "shop")
    assert pattern.match("orders:open:7") == {"state": "open", "shop": 7}
    assert pattern.reverse({"state": "open", "shop": 7}) == "orders:open:7"


@pytest.mark.parametrize("name", ["orders:open:x", "orders:open:7 ", "orders:open:7\n", "order:open:7", ""])
def test_a_name_that_does_not_fit_means_nothing(name):
    assert TopicPattern("orders:<slug:state>:<int:shop>").match(name) is None


@pytest.mark.parametrize("pattern", ["a:<float:x>", "a:<x y>", "a:<int:x>:<int:x>", "a:<>"])
def test_a_pattern_that_cannot_be_read_says_which_part(pattern):
    with pytest.raises(ImproperlyConfigured, match="Topic pattern"):
        TopicPattern(pattern)


def test_values_that_do_not_fit_are_told():
    pattern = TopicPattern("room:<slug:name>")
    with pytest.raises(TypeError, match="takes name; got title"):
        pattern.reverse({"title": "x"})
    with pytest.raises(ValueError, match="does not fit"):
        pattern.reverse({"name": "a b"})
    with pytest.raises(ValueError, match="longer than 255 bytes"):
        pattern.reverse({"name": "a" * 300})


@pytest.mark.parametrize(("text", "literal"), [("a:<slug:x>:<y>", True), ("a:<int:x>", False), ("a", True)])
def test_it_is_known_whether_parameters_are_pieces_of_the_name(text: str, literal: bool) -> None:
    assert TopicPattern(text).is_literal is literal

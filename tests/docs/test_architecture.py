"""The drawing of the rooms is what the imports say today."""

from __future__ import annotations

import re

from tests.scripts.loading import load

architecture = load("architecture")
PAGE = architecture.PAGE.read_text()


def test_the_rooms_are_up_to_date() -> None:
    assert architecture.between(PAGE, "rooms") == architecture.drawn_rooms(), "run 'make docs'"


def test_every_room_is_on_a_floor() -> None:
    drawn = {room for rooms in architecture.floors() for room in rooms}
    assert drawn == {room for room in architecture.room_imports() if room != "channels"}


def test_arrows_that_follow_from_others_are_left_out() -> None:
    imports = {"top": {"middle", "floor"}, "middle": {"floor"}, "floor": set()}
    assert architecture.reduced(imports) == {"top": {"middle"}, "middle": {"floor"}, "floor": set()}


def test_what_is_outside_the_marks_stays() -> None:
    page = "a\n<!-- x: written by make docs -->\nold\n<!-- x: end -->\nb\n"
    changed = architecture.replaced(page, "x", "new")
    assert architecture.between(changed, "x") == "new"
    assert (changed[:2], changed[-3:]) == ("a\n", "\nb\n")


def test_the_ways_have_their_figures_and_stops() -> None:
    ways = re.split(r"^### ", architecture.between(PAGE, "ways"), flags=re.M)[1:]
    assert len(ways) == 4
    for way in ways:
        assert re.search(r"^\d+ functions in \d+ files, \d+ changes of file, \d threads?\.$", way, re.M)
        assert re.search(r"^1\. \S+\.py: `\w+", way, re.M)
